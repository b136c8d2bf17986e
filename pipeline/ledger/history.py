"""Which version was live when, by the entries. Pure; `proof` proves the entries."""

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
    """The live version.

    Attributes:
        version: its number.
        bundle_sha256: digest of its bundle; empty: the ledger does not have it.
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
    """The live version after all of `entries`, or at a moment; None: nothing was live."""
    known = entries if at is None else [each for each in entries if _moment(each) <= at]
    decided = [each.decision for each in known if each.decision.action in _CHANGES]
    if not decided or decided[-1].version == NOTHING:
        return None
    number = decided[-1].version
    return LiveState(number, digest_of(known, number), decided[-1].decided_at)


def digest_of(entries: Sequence[Entry], version: int) -> str:
    """The digest of the bundle of `version`, by the newest entry that made it live; else empty.

    A rejection does not count: its digest is that of the gate, and nobody has compared it.
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
    """The evidence for a decision; empty where an earlier release wrote it.

    =====================  ====================================================================
    `trained_on`           first and last day of the rows
    `telemetry_version`    version of the table that they were read from
    `code`                 commit that made the bundle
    `threshold`            of the bundle
    `gate`                 the gate's result, one sentence
    `bundles`              of an adoption: version -> digest of each that was live before
    `instead_of`           of a restoration: heads, as [length, hash], that it replaces
    =====================  ====================================================================
    """
    try:
        found = json.loads(decision.evidence or "{}")
    except ValueError:  # of an entry that is not proven: nothing depends on it
        return {}
    return dict(found) if isinstance(found, dict) else {}


def rolled_back(entries: Sequence[Entry]) -> dict[int, str]:
    """Version -> reason, of those rolled back or withdrawn and not promoted again by a person."""
    gone: dict[int, str] = {}
    for entry in entries:
        decision = entry.decision
        if decision.action in ("rollback", "withdrawal") and decision.replaced is not None:
            gone[decision.replaced] = decision.why
        if decision.action in ("promotion", "rollback"):
            gone.pop(decision.version, None)
    return gone


def champions_in_order(decisions: Sequence[Decision]) -> tuple[int, ...]:
    """The versions to which rollbacks lead, oldest first, and last the champion.

    A promotion appends a version. A rollback removes the versions it skipped: after a rollback from
    3 to 2 the version before 2 is the one that preceded it before 3 came, and never 3.
    """
    path: list[int] = []
    for decision in decisions:
        if decision.action == "rollback":
            path = path[: path.index(decision.version)] if decision.version in path else path[:-1]
        path = [number for number in path if number != decision.version]
        path.append(decision.version)
    return tuple(path)


def _moment(entry: Entry) -> datetime:
    moment = datetime.fromisoformat(entry.decision.decided_at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
