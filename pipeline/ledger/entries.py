"""An entry of the ledger: what was decided, chained to the entry before it, and signed. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from pipeline.ledger.keys import PrivateKey, PublicKey, Signature

Action = Literal[
    "promotion", "rollback", "rejection", "withdrawal", "adoption", "restoration", "rotation"
]

GENESIS = "0" * 64
NOTHING = 0
"""The version in an entry after which nothing is live."""

SIGNED = 2
"""Format of an entry. 1: releases before signatures, whose hash covers fewer columns."""

_FIRST_COLUMNS = (
    *("action", "detector", "version", "replaced", "who", "why", "run_id"),
    *("card_sha256", "decided_at"),
)


@dataclass(frozen=True)
class Decision:
    """A decision about one version, before it is chained.

    Attributes:
        action: the kind of decision. `promotion` and `rollback` change what is live, `withdrawal`
            leaves nothing live, `rejection` changes nothing. `adoption` vouches for all entries
            before it, `restoration` for a ledger that came back from a backup, `rotation` begins a
            new key.
        detector: its name.
        version: the model version decided about; for the last three actions the live one; NOTHING:
            none.
        replaced: the champion that it replaced, or None.
        who: the person or DAG run that decided.
        why: one sentence.
        run_id: the MLflow run of the candidate.
        card_sha256: hash of the promotion card that the decision is based on.
        decided_at: UTC, ISO 8601.
        bundle_sha256: digest of the version's bundle; empty: unknown.
        evidence: what the decision is based on, JSON; see `pipeline.ledger.evidence`.
        approval: a person's signed answer, JSON; empty: nobody was asked.
    """

    action: Action
    detector: str
    version: int
    replaced: int | None
    who: str
    why: str
    run_id: str
    card_sha256: str
    decided_at: str
    bundle_sha256: str = ""
    evidence: str = ""
    approval: str = ""


@dataclass(frozen=True)
class Entry:
    """A decision in its place in the chain.

    Attributes:
        sequence: counts from 1.
        decision: what was decided.
        previous_hash: the head of the ledger before it.
        hash: over all of it but the signature, hexadecimal.
        format: SIGNED, or 1.
        signature: of the hash; empty in format 1.
    """

    sequence: int
    decision: Decision
    previous_hash: str
    hash: str
    format: int = SIGNED
    signature: Signature = field(default=Signature("", ""))


@dataclass(frozen=True)
class Head:
    """The end of a ledger: how many entries it has, and the hash of the last one."""

    length: int
    hash: str


def card_hash(card: str) -> str:
    """The hash by which a decision names its promotion card."""
    return hashlib.sha256(card.encode()).hexdigest()


def head_of(last: Entry | None) -> Head:
    """The head of a ledger that ends with `last`."""
    return Head(last.sequence, last.hash) if last else Head(0, GENESIS)


def chain(decision: Decision, last: Entry | None, key: PrivateKey) -> Entry:
    """The entry that appends `decision` after `last` (None: the first of a ledger)."""
    head = head_of(last)
    content = hash_of(head.length + 1, decision, head.hash, SIGNED)
    signature = key.sign(_signed(content))
    return Entry(head.length + 1, decision, head.hash, content, SIGNED, signature)


def is_signed_by(entry: Entry, key: PublicKey) -> bool:
    """Whether `key` proves the signature of `entry`."""
    signature = entry.signature
    return signature.key == key.id and key.proves(_signed(entry.hash), signature.value)


def hash_of(sequence: int, decision: Decision, previous: str, layout: int) -> str:
    """The hash of an entry of format `layout` in its place."""
    content: dict[str, Any] = asdict(decision)
    if layout < SIGNED:
        content = {name: content[name] for name in _FIRST_COLUMNS}
    else:
        content["format"] = layout
    text = json.dumps({"sequence": sequence, "previous": previous, **content}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def to_row(entry: Entry) -> dict[str, Any]:
    """One flat row of the `ledger` table."""
    return {
        "sequence": entry.sequence,
        **asdict(entry.decision),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        "format": entry.format,
        "key": entry.signature.key,
        "signature": entry.signature.value,
    }


def from_row(row: dict[str, Any]) -> Entry:
    """Inverse of `to_row`, also for a row of an earlier release.

    Raises:
        ValueError, TypeError, KeyError: the row is no ledger entry.
    """
    datetime.fromisoformat(row["decided_at"])
    later = {each.name for each in fields(Decision)} - set(_FIRST_COLUMNS)
    values = {name: row[name] for name in _FIRST_COLUMNS}
    values |= {name: _text(row.get(name)) for name in later}
    values["version"] = int(row["version"])
    values["replaced"] = None if _is_none(row["replaced"]) else int(row["replaced"])
    layout = row.get("format")
    return Entry(
        sequence=int(row["sequence"]),
        decision=Decision(**values),
        previous_hash=row["previous_hash"],
        hash=row["hash"],
        format=1 if _is_none(layout) else int(str(layout).partition(".")[0]),
        signature=Signature(_text(row.get("key")), _text(row.get("signature"))),
    )


def _signed(content: str) -> bytes:
    return f"plimsoll ledger {content}".encode()


def _text(value: Any) -> str:
    return "" if _is_none(value) else str(value)


def _is_none(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - a frame has NaN for None
