"""The ledger: who promoted, rolled back or rejected what, why, and in which order. Pure.

Each entry carries the hash of the entry before it, so an entry that is changed, removed or slipped
in later breaks the chain at that place and `verify` names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from pipeline.errors import DataError

Action = Literal["promotion", "rollback", "rejection"]
GENESIS = "0" * 64


@dataclass(frozen=True)
class Decision:
    """What was decided about one version, before it is chained.

    Attributes:
        action: what was done.
        detector: whose version it is.
        version: the model version decided about.
        replaced: the champion that it replaced, or None.
        who: the person or DAG run that decided.
        why: one sentence.
        run_id: the MLflow run of the candidate.
        card_sha256: hash of the promotion card that the decision rests on.
        decided_at: UTC, ISO 8601.
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


@dataclass(frozen=True)
class Entry:
    """A decision in its place in the chain; `sequence` counts from 1."""

    sequence: int
    decision: Decision
    previous_hash: str
    hash: str


def card_hash(card: str) -> str:
    """The hash by which a decision names the card that it rests on."""
    return hashlib.sha256(card.encode()).hexdigest()


def chain(decision: Decision, last: Entry | None) -> Entry:
    """The entry that appends `decision` behind `last` (None: the first of a ledger)."""
    sequence = last.sequence + 1 if last else 1
    previous = last.hash if last else GENESIS
    return Entry(sequence, decision, previous, _digest(sequence, decision, previous))


def verify(entries: Sequence[Entry]) -> None:
    """Check a whole ledger, oldest first.

    Raises:
        DataError: the first entry whose place or content does not fit the chain.
    """
    last: Entry | None = None
    for entry in entries:
        if entry != chain(entry.decision, last):
            msg = (
                f"Ledger entry {entry.sequence} ({entry.decision.action} of version "
                f"{entry.decision.version}) does not continue the chain at position "
                f"{last.sequence + 1 if last else 1}: the ledger was changed after it was "
                "written. Restore the table from its Delta history and compare."
            )
            raise DataError(msg)
        last = entry


def changes(entries: Sequence[Entry]) -> tuple[Decision, ...]:
    """The decisions that changed what is live, oldest first: all but the rejections."""
    return tuple(e.decision for e in entries if e.decision.action != "rejection")


def line_of_champions(decisions: Sequence[Decision]) -> tuple[int, ...]:
    """The champion, last, behind the versions that lead back from it, oldest first.

    A promotion goes one on. A rollback takes away what it skipped: behind version 2, reached from 3
    by a rollback, stands what stood behind 2 before 3 came, and never 3.
    """
    line: list[int] = []
    for decision in decisions:
        if decision.action == "rollback":
            line = line[: line.index(decision.version)] if decision.version in line else line[:-1]
        line = [number for number in line if number != decision.version]
        line.append(decision.version)
    return tuple(line)


def to_row(entry: Entry) -> dict[str, Any]:
    """One flat row of the `ledger` table."""
    return {
        "sequence": entry.sequence,
        **asdict(entry.decision),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def from_row(row: dict[str, Any]) -> Entry:
    """Inverse of `to_row`."""
    replaced = row["replaced"]
    values = {field.name: row[field.name] for field in fields(Decision)}
    values["version"] = int(row["version"])
    values["replaced"] = None if replaced is None or replaced != replaced else int(replaced)  # noqa: PLR0124 - NaN is how a frame says None
    return Entry(int(row["sequence"]), Decision(**values), row["previous_hash"], row["hash"])


def _digest(sequence: int, decision: Decision, previous: str) -> str:
    content = json.dumps(
        {"sequence": sequence, "previous": previous, **asdict(decision)}, sort_keys=True
    )
    return hashlib.sha256(content.encode()).hexdigest()
