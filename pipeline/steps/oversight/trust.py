"""Whether what is live is what the ledger says, and whether the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import UnprovenLedger
from pipeline.registry import promotion, versions
from pipeline.registry.connection import Client
from pipeline.settings import Settings
from pipeline.shell import this_shell
from pipeline.steps import book
from pipeline.steps.book import Book


@dataclass(frozen=True)
class Fault:
    """Something that is not as the ledger says.

    Attributes:
        what: one or two sentences.
        mend: what to do, a clause; empty: `what` says it.
        command: what does it; empty: nothing that can be typed.
    """

    what: str
    mend: str = ""
    command: str = ""


def faults_of(here: Settings, client: Client, detector: str) -> tuple[Fault, ...]:
    """All that is not as the ledger of `detector` says, the gravest first; changes nothing.

    Raises:
        OutageError: the store, Postgres or MLflow does not answer.
    """
    return tuple(_found(here, client, book.read(here, detector)))


def _found(here: Settings, client: Client, held: Book) -> Iterator[Fault]:
    name = held.detector
    every = versions.every(client, name)
    try:
        book.refuse_unproven(held, book.fault(here, held, every))
    except UnprovenLedger as error:
        yield Fault(str(error))
        return
    repair = this_shell().plimsoll("ledger", name, "--repair")
    alias = promotion.number_of(client, name, promotion.CHAMPION)
    live = held.live.version if held.live else None
    if live is not None and live not in {version.number for version in every}:
        yield Fault(
            f"Version {live} is live by the ledger, and MLflow does not have it: the version or "
            "its model was deleted or renamed there. Nothing is scored.",
            "restore MLflow's database from a backup, or roll back to another version",
        )
    elif alias != live:
        points = f"points to version {alias}" if alias else "is gone"
        said = f"version {live} is live by the ledger and goes on scoring"
        said = said if live else "nothing is live by the ledger"
        yield Fault(
            f"The alias champion {points}, but {said}: somebody moved the alias by hand.",
            "let MLflow's aliases follow the ledger",
            repair,
        )
    found = book.kept(here, name, every)
    if strange := [where for where in found.strange if where != book.IN_POSTGRES]:
        yield Fault(
            f"The head of the ledger {strange[0]} is signed by no key that is trusted here.",
            "let the kept heads follow the ledger",
            repair,
        )
    if here.database is not None and held.entries:
        head = found.heads.get(book.IN_POSTGRES)
        behind = held.entries[head.length :] if head else held.entries
        # What a restoration says is kept with the next decision: nothing is lost with it.
        if any(entry.decision.action != "restoration" for entry in behind):
            yield Fault(
                "The head of the ledger is not kept in Postgres as it is now, so entries that are "
                "cut off would not be missed.",
                "let the kept heads follow the ledger",
                repair,
            )
