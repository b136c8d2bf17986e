"""What a person says about a ledger as a whole, signed: that it is adopted, restored, withdrawn."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from pipeline import ledger, settings
from pipeline.data import answered
from pipeline.errors import DataError
from pipeline.ledger import NOTHING, Action, Decision, Head, heads, keyring
from pipeline.locking import promotion_lock
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.settings import Settings
from pipeline.steps import book, measuring
from pipeline.steps.book import Book
from pipeline.steps.going_live.champion import settle
from pipeline.steps.live import opened
from pipeline.table_schemas import TableName
from pipeline.tables import Table

_ANSWERS: tuple[TableName, ...] = ("labels", "decisions")

log = structlog.get_logger()


def adopt(detector: str, *, who: str, why: str) -> Book:
    """Vouch for entries and answers that nobody has signed, and for the bundles of their versions.

    That is how a ledger of an earlier release is signed, or one whose keys are lost for good. The
    chain must hold, and the live version's bundle be the one that its gate has tagged.

    Raises:
        DataError: there is nothing to adopt.
        UnprovenLedger: the ledger would not hold even so.
        UnprovenBundle: the live version's bundle is gone, or is another one.
    """
    here = settings.load()
    client = connect(here)
    with promotion_lock(here, detector):
        held = book.read(here, detector)
        adopted = sum(answered.adopt(Table(here.storage, detector, name)) for name in _ANSWERS)
        every = versions.every(client, detector)
        if not held.entries or not book.fault(here, held, every):
            if adopted:
                return held
            msg = f"The ledger and the answers of {detector} are signed; there is nothing to adopt."
            raise DataError(msg)
        bundles = _bundles(client, held)
        decision = _about(held, "adoption", who, why, {"bundles": bundles})
        return _said(here, client, held, decision, every)


def restored(detector: str, *, who: str, why: str) -> Book:
    """Vouch that an older ledger is the right one: it came back from a backup.

    Raises:
        UnprovenLedger: the ledger would not hold even so.
    """
    here = settings.load()
    client = connect(here)
    with promotion_lock(here, detector):
        held = book.read(here, detector)
        every = versions.every(client, detector)
        newer = [head for head in _heads(here, detector, every) if not _is_of(held, head)]
        replaced = {"instead_of": [[head.length, head.hash] for head in newer]}
        decision = _about(held, "restoration", who, why, replaced)
        return _said(here, client, held, decision, every, shorter=True)


def withdraw(detector: str, *, who: str, why: str) -> Book:
    """Say that nothing is live any more: the next candidate is judged against nothing.

    Raises:
        DataError: nothing is live.
        UnprovenLedger: the ledger does not hold.
    """
    here = settings.load()
    client = connect(here)
    with promotion_lock(here, detector):
        held = book.proven(here, detector)
        if held.live is None:
            msg = f"Nothing is live of {detector}, so there is nothing to withdraw."
            raise DataError(msg)
        decision = replace(
            _about(held, "withdrawal", who, why, {}),
            version=NOTHING,
            replaced=held.live.version,
            bundle_sha256="",
        )
        made = book.append(here, held, decision)
        promotion.point_at_nothing(client, detector)
    measuring.distrusted(detector)
    return made


def rotated(detector: str, *, who: str, why: str) -> Book:
    """Begin to sign with the newest key: what an older one signs from now on does not count.

    Raises:
        UnprovenLedger: the ledger does not hold.
    """
    here = settings.load()
    client = connect(here)
    with promotion_lock(here, detector):
        held = book.proven(here, detector)
        key = keyring.signer(here, "ledger").public.id
        decision = _about(held, "rotation", who, why, {"key": key})
        return _said(here, client, held, decision, versions.every(client, detector))


def note_restoration(here: Settings, detector: str, *, who: str, why: str) -> Book:
    """As `restored`, while nothing but the lake is there: heads that came back with it fit it.

    Raises:
        UnprovenLedger: the ledger does not hold.
    """
    held = book.read(here, detector)
    if not held.entries:
        return held
    trusted, answers = keyring.trusted(here, "ledger"), keyring.trusted(here, "answers")
    book.refuse_unproven(held, ledger.fault_of(held.entries, trusted, {}, answers))
    without_servers = replace(here, database=None)
    decision = _about(held, "restoration", who, why, {"instead_of": []})
    return book.append(without_servers, held, decision)


def _said(
    here: Settings,
    client: Client,
    held: Book,
    decision: Decision,
    every: tuple[Version, ...],
    *,
    shorter: bool = False,
) -> Book:
    """Append what was said, if the ledger holds with it; aliases follow."""
    key = keyring.signer(here, "ledger")
    would_be = replace(held, entries=(*held.entries, ledger.chain(decision, held.last, key)))
    book.refuse_unproven(held, book.fault(here, would_be, every))
    made = book.append(here, held, decision)
    if shorter:
        book.keep_head(here, made, shorter=True)
    if made.live is not None and made.live.version in {version.number for version in every}:
        text = book.head_text(here, made)
        tags.keep_ledger_head(client, made.detector, made.live.version, text)
    settle(here, client, made.detector)
    measuring.distrusted(made.detector)
    log.info("ledger_vouched_for", detector=made.detector, action=decision.action)
    return made


def _about(held: Book, action: Action, who: str, why: str, evidence: dict[str, Any]) -> Decision:
    """A decision about the ledger; what is live stays live."""
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


def _bundles(client: Client, held: Book) -> dict[str, str]:
    """Digests of the bundles that were ever live and are still there, by version."""
    numbers = sorted({decision.version for decision in held.changes})
    there = (versions.by_number(client, held.detector, number) for number in numbers)
    return {
        str(version.number): opened(version, held).bundle.digest
        for version in there
        if version is not None
    }


def _heads(here: Settings, detector: str, every: tuple[Version, ...]) -> list[Head]:
    trusted = keyring.trusted(here, "ledger")
    texts = [text for version in every if (text := tags.ledger_head(version))]
    try:
        found = [heads.from_text(detector, text, trusted) for text in texts]
        kept = heads.kept(here.database, detector, trusted) if here.database else None
    except ValueError as error:
        msg = f"{detector}: {error}; nothing was written."
        raise DataError(msg) from error
    return [*found, *([kept] if kept else [])]


def _is_of(held: Book, head: Head) -> bool:
    return len(held.entries) >= head.length > 0 and (
        held.entries[head.length - 1].hash == head.hash
    )
