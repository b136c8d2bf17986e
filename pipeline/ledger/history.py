"""What entries say about what was live, and when. Pure; that they are true is for `proof`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.ledger.entries import NOTHING, Decision, Entry

_CHANGES = ("promotion", "rollback", "withdrawal")


@dataclass(frozen=True)
class LiveState:
    """What is live.

    Attributes:
        version: its number.
        bundle_sha256: digest of its bundle; empty: the ledger does not know.
        since: when it went live, UTC, ISO 8601.
    """

    version: int
    bundle_sha256: str
    since: str


def changes(entries: Sequence[Entry]) -> tuple[Decision, ...]:
    """The promotions and rollbacks that made a version live, oldest first."""
    made = (entry.decision for entry in entries)
    return tuple(each for each in made if each.action in ("promotion", "rollback"))


def live_state(entries: Sequence[Entry], at: datetime | None = None) -> LiveState | None:
    """What is live after all of `entries`, or was at a moment; None: nothing."""
    known = entries if at is None else [each for each in entries if _moment(each) <= at]
    decided = [each.decision for each in known if each.decision.action in _CHANGES]
    if not decided or decided[-1].version == NOTHING:
        return None
    number = decided[-1].version
    return LiveState(number, digest_of(known, number), decided[-1].decided_at)


def digest_of(entries: Sequence[Entry], version: int) -> str:
    """The digest of the bundle of `version`, by the newest entry that made it live; else empty.

    A rejection does not count: it says what a gate was shown, and nobody has compared it.
    """
    for entry in reversed(entries):
        decision = entry.decision
        made_live = decision.action in ("promotion", "rollback")
        if made_live and decision.version == version and decision.bundle_sha256:
            return decision.bundle_sha256
        if decision.action in ("adoption", "restoration"):
            known = evidence_of(decision).get("bundles", {}).get(str(version))
            if known:
                return str(known)
    return ""


def evidence_of(decision: Decision) -> dict[str, Any]:
    """What a decision rests on; empty where an earlier release wrote it.

    =====================  ====================================================================
    `trained_on`           first and last day of the rows
    `telemetry_version`    version of the table that they were read from
    `code`                 commit that made the bundle
    `threshold`            of the bundle
    `gate`                 the gate's result, one sentence
    `bundles`              of an adoption: version -> digest of each that was live before
    `instead_of`           of a restoration: heads, as [length, hash], that it takes the place of
    =====================  ====================================================================
    """
    try:
        found = json.loads(decision.evidence or "{}")
    except ValueError:  # of an entry that is not proven: nothing rests on it
        return {}
    return dict(found) if isinstance(found, dict) else {}


def taken_back(entries: Sequence[Entry]) -> dict[int, str]:
    """Versions that were rolled back or withdrawn, and not brought back by a person since: why."""
    gone: dict[int, str] = {}
    for entry in entries:
        decision = entry.decision
        if decision.action in ("rollback", "withdrawal") and decision.replaced is not None:
            gone[decision.replaced] = decision.why
        if decision.action in ("promotion", "rollback"):
            gone.pop(decision.version, None)
    return gone


def champions_in_order(decisions: Sequence[Decision]) -> tuple[int, ...]:
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


def _moment(entry: Entry) -> datetime:
    moment = datetime.fromisoformat(entry.decision.decided_at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
