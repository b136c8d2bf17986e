"""Checks that MLflow and the kept heads agree with the ledger, and that the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import BundleError, UnprovenLedger
from pipeline.monitoring.health import LedgerFault
from pipeline.registry import promotion, versions
from pipeline.registry.connection import Client
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps import ledger_state
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import opened


def faults_of(
    here: Deployment, client: Client, detector: str, *, open_bundle: bool = False
) -> tuple[LedgerFault, ...]:
    """All differences from the ledger of `detector`, the gravest first; changes nothing.

    With `open_bundle` the live version's bundle is loaded too, as scoring would load it.

    Raises:
        OutageError: the store, Postgres or MLflow does not answer.
    """
    held = ledger_state.read(here, detector)
    return tuple(_found(here, client, held, open_bundle=open_bundle))


def _of_bundle(here: Deployment, version: Version, held: LedgerState) -> Iterator[LedgerFault]:
    try:
        opened(here, version, held)
    except BundleError as error:
        yield LedgerFault(
            f"The bundle of the live version cannot be served, so nothing is scored: {error}",
            "restore MLflow's artifacts from a backup, or roll back to another version",
        )


def _found(
    here: Deployment, client: Client, held: LedgerState, *, open_bundle: bool
) -> Iterator[LedgerFault]:
    name = held.detector
    every = versions.every(client, name)
    try:
        ledger_state.refuse_unverified(here, held, ledger_state.fault(here, held, every))
    except UnprovenLedger as error:
        yield LedgerFault(str(error), in_ledger=True)
        return
    repair = this_shell(here).plimsoll("ledger", name, "--repair")
    alias = promotion.number_of(client, name, promotion.CHAMPION)
    live = held.live.version if held.live else None
    registered = {version.number: version for version in every}
    if open_bundle and live in registered:
        yield from _of_bundle(here, registered[live], held)
    if live is not None and live not in registered:
        yield LedgerFault(
            f"Version {live} is live by the ledger, and MLflow does not have it: the version or "
            "its model was deleted or renamed there. Nothing is scored.",
            "restore MLflow's database from a backup, or roll back to another version",
        )
    elif alias != live:
        points = f"points to version {alias}" if alias else "is gone"
        by_ledger = f"version {live} is live by the ledger and goes on scoring"
        by_ledger = by_ledger if live else "nothing is live by the ledger"
        yield LedgerFault(
            f"The alias champion {points}, but {by_ledger}: somebody moved the alias by hand.",
            "let MLflow's aliases follow the ledger",
            repair,
        )
    found = ledger_state.kept(here, name, every)
    if strange := [where for where in found.strange if where != ledger_state.IN_POSTGRES]:
        yield LedgerFault(
            f"The head of the ledger {strange[0]} is signed by no key that is trusted here.",
            "let the kept heads follow the ledger",
            repair,
        )
    if here.database is not None and held.entries:
        head = found.heads.get(ledger_state.IN_POSTGRES)
        behind = held.entries[head.length :] if head else held.entries
        # The head of a restoration is kept with the next decision: nothing is lost with it.
        if any(entry.decision.action != "restoration" for entry in behind):
            yield LedgerFault(
                "The head of the ledger is not kept in Postgres as it is now, so entries that are "
                "cut off would not be missed.",
                "let the kept heads follow the ledger",
                repair,
            )
