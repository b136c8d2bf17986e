"""Signed statements of a person about a whole ledger: adoption, restoration, withdrawal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from pipeline import ledger
from pipeline.errors import BundleError, DataError
from pipeline.ledger import NOTHING, Action, Decision, Head, keyring
from pipeline.locking import promotion_lock
from pipeline.registry import promotion, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.steps import ledger_state, metrics_hooks
from pipeline.steps.champion import keep_heads, sync_aliases
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import opened
from pipeline.store import answered

log = structlog.get_logger()


def adopt(here: Deployment, detector: str, *, who: str, why: str) -> LedgerState:
    """Vouch for unsigned entries and answers, and for the bundles of their versions.

    Signs the ledger of an earlier release, or one whose keys are lost for good. The chain must
    hold, and the live version's bundle must be the one that its gate has tagged. Does nothing where
    all is signed.

    Raises:
        UnprovenLedger: the ledger would still not hold.
        UnprovenBundle: the live version's bundle is gone, or is another one.
    """
    client = connect(here)
    with promotion_lock(here, detector):
        held = ledger_state.read(here, detector)
        every = versions.every(client, detector)
        strange = ledger_state.kept(here, detector, every).strange
        if held.entries and (strange or ledger_state.fault(here, held, every)):
            decision = _about(held, "adoption", who, why, {"bundles": _bundles(here, client, held)})
            held = _stated(here, client, held, decision, every, keys_lost=True)
        answered.adopt_answers(here, detector)
        return held


def unsigned_answers(here: Deployment, detector: str) -> list[str]:
    """The answers that an adoption would sign beside the ledger: counts by author."""
    return [
        f"{count} {_words(table) if count > 1 else _words(table).removesuffix('s')} of {author}"
        for table, authors in answered.unsigned_answers(here, detector).items()
        for author, count in sorted(authors.items())
    ]


def _words(table: str) -> str:
    return table.replace("_", " ")


def restored(here: Deployment, detector: str, *, who: str, why: str) -> LedgerState:
    """Vouch for an older ledger that was restored from a backup.

    Raises:
        UnprovenLedger: the ledger would still not hold.
    """
    client = connect(here)
    with promotion_lock(here, detector):
        held = ledger_state.read(here, detector)
        every = versions.every(client, detector)
        heads = ledger_state.kept(here, detector, every).heads.values()
        newer = [head for head in heads if not _is_of(held, head)]
        replaced = {"instead_of": [[head.length, head.hash] for head in newer]}
        decision = _about(held, "restoration", who, why, replaced)
        return _stated(here, client, held, decision, every, shorter=True)


def withdraw(here: Deployment, detector: str, *, who: str, why: str) -> LedgerState:
    """Withdraw the live version: the next candidate is compared with nothing.

    Raises:
        DataError: nothing is live.
        UnprovenLedger: the ledger does not hold.
    """
    client = connect(here)
    with promotion_lock(here, detector):
        held = ledger_state.verified(here, detector)
        if held.live is None:
            msg = f"Nothing is live of {detector}, so there is nothing to withdraw."
            raise DataError(msg)
        decision = replace(
            _about(held, "withdrawal", who, why, {}),
            version=NOTHING,
            replaced=held.live.version,
            bundle_sha256="",
        )
        made = ledger_state.append(here, held, decision)
        ledger_state.keep_head(here, made)
        promotion.point_at_nothing(client, detector)
    metrics_hooks.ledger_checked(here, detector)
    return made


def rotated(here: Deployment, detector: str, *, who: str, why: str) -> LedgerState:
    """Switch to the newest key: later signatures by an older key do not count.

    Raises:
        UnprovenLedger: the ledger does not hold.
    """
    client = connect(here)
    with promotion_lock(here, detector):
        held = ledger_state.verified(here, detector)
        key = keyring.signer(here, "ledger").public.id
        decision = _about(held, "rotation", who, why, {"key": key})
        return _stated(here, client, held, decision, versions.every(client, detector))


def sign_answers_anew(here: Deployment, detector: str) -> None:
    """Sign the answers about a detector with the newest key, after a rotation."""
    answered.sign_answers_anew(here, detector)


def note_restoration(here: Deployment, detector: str, *, who: str, why: str) -> LedgerState:
    """As `restored`, while only the lake is reachable: the restored heads fit the ledger.

    Raises:
        UnprovenLedger: the ledger does not hold.
    """
    held = ledger_state.read(here, detector)
    if not held.entries:
        return held
    decision = _about(held, "restoration", who, why, {"instead_of": []})
    return ledger_state.append(here, held, decision)


def _stated(
    here: Deployment,
    client: Client,
    held: LedgerState,
    decision: Decision,
    every: tuple[Version, ...],
    *,
    keys_lost: bool = False,
    shorter: bool = False,
) -> LedgerState:
    """Append `decision` if the ledger holds with it, and sync the aliases."""
    key = keyring.signer(here, "ledger")
    would_be = replace(held, entries=(*held.entries, ledger.chain(decision, held.last, key)))
    ledger_state.refuse_unverified(
        here, held, ledger_state.fault(here, would_be, every, keys_lost=keys_lost)
    )
    made = ledger_state.append(here, held, decision)
    keep_heads(here, client, made, shorter=shorter or keys_lost)
    sync_aliases(here, client, made.detector)
    metrics_hooks.ledger_checked(here, made.detector)
    log.info("ledger_vouched_for", detector=made.detector, action=decision.action)
    return made


def _about(
    held: LedgerState, action: Action, who: str, why: str, evidence: dict[str, Any]
) -> Decision:
    """A decision about the ledger; the live version stays."""
    if not why.strip():
        msg = f"The {action} of a ledger needs a reason, one sentence: add --reason."
        raise DataError(msg)
    live = held.live
    return Decision(
        action=action,
        detector=held.detector,
        version=live.version if live else NOTHING,
        replaced=None,
        who=who,
        why=why.strip(),
        run_id="",
        card_sha256="",
        decided_at=datetime.now(UTC).isoformat(),
        bundle_sha256=live.bundle_sha256 if live else "",
        evidence=json.dumps(evidence),
    )


def _bundles(here: Deployment, client: Client, held: LedgerState) -> dict[str, str]:
    """Digests of the bundles that were ever live and are still there, by version."""
    numbers = sorted({decision.version for decision in held.changes})
    there = (versions.by_number(client, held.detector, number) for number in numbers)
    found: dict[str, str] = {}
    for version in there:
        if version is None:
            continue
        try:
            found[str(version.number)] = opened(here, version, held, fresh=True).bundle.digest
        except BundleError as error:
            if held.live is not None and version.number == held.live.version:
                raise
            # It cannot be a rollback target any more; the live version does not depend on it.
            log.warning("not_vouched_for", version=version.number, reason=str(error))
    return found


def _is_of(held: LedgerState, head: Head) -> bool:
    return len(held.entries) >= head.length > 0 and (
        held.entries[head.length - 1].hash == head.hash
    )
