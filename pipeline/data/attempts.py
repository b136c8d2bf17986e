"""The table `ingestions`: one row an attempt at a day, so that no day is skipped in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.fingerprint import contract_hash
from pipeline.data.telemetry import Difference
from pipeline.tables import Table, append, read

Standing = Literal["validated", "quarantined", "empty", "failed", "withdrawn"]

WITHDRAWN: Standing = "withdrawn"
"""A person took the day back: what is on record of it before counts no more."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at one day.

    Attributes:
        day: the UTC day.
        attempted_at: when, UTC.
        run_id: which run.
        verdict: what the attempt did; `unchanged` when the tables held its result already.
        standing: how the day stands after it.
        reasons: why it is blocked or failed; empty otherwise.
        expected: rows that the machines should have sent.
        delivered: rows that came.
        accepted: rows let through.
        rejected: rows sent to quarantine.
        completeness: share of expected rows that came with a measurement.
        rules: rejected rows by reason.
        fingerprint: hash of the raw rows.
        contract: hash of the contract they were judged by.
        telemetry_version: version of `telemetry` after the attempt; None while there is none.
        difference: how telemetry of a day that was there before changed; None if it did not.
    """

    day: date
    attempted_at: datetime
    run_id: str
    verdict: Literal["validated", "quarantined", "empty", "unchanged", "failed", "withdrawn"]
    standing: Standing
    reasons: str = ""
    expected: int = 0
    delivered: int = 0
    accepted: int = 0
    rejected: int = 0
    completeness: float | None = None
    rules: dict[str, int] | None = None
    fingerprint: str = ""
    contract: str = ""
    telemetry_version: int | None = None
    difference: Difference | None = None


@dataclass(frozen=True)
class Stands:
    """How a day stands after its latest attempt, and why if it is not validated."""

    day: date
    standing: Standing
    reasons: str


def record(attempts: Sequence[Attempt], root: str, detector: str) -> None:
    """Append `attempts` to the table, in one commit."""
    append(Table(root, detector, "ingestions"), [_row(attempt) for attempt in attempts])


def record_failure(
    spec: DetectorSpec,
    days: Sequence[date],
    reason: str,
    *,
    root: str,
    now: datetime,
    run_id: str,
) -> None:
    """Record that a stage failed for `days` before anything was written."""
    record(
        [
            Attempt(day, now, run_id, "failed", "failed", reason, contract=contract_hash(spec))
            for day in days
        ],
        root,
        spec.name,
    )


def last_results(root: str, detector: str, first: date, last: date) -> dict[date, tuple[str, str]]:
    """Fingerprint and contract of the latest attempt at each day that did not fail."""
    columns = ["attempted_at", "standing", "fingerprint", "contract"]
    rows = read(
        Table(root, detector, "ingestions"),
        first_day=first,
        last_day=last,
        columns=columns,
        keep_date=True,
    )
    done = rows[rows["standing"] != "failed"].sort_values("attempted_at", kind="stable")
    return dict(
        zip(done["date"], zip(done["fingerprint"], done["contract"], strict=True), strict=True)
    )


def latest_standings(
    root: str, detector: str, first: date | None = None, last: date | None = None
) -> list[Stands]:
    """How each day from `first` to `last` stands that was ever attempted, oldest first."""
    columns = ["attempted_at", "standing", "reasons"]
    table = Table(root, detector, "ingestions")
    rows = read(table, first_day=first, last_day=last, columns=columns, keep_date=True)
    standing = since_withdrawn(rows.sort_values("attempted_at", kind="stable"))
    newest = standing.drop_duplicates("date", keep="last")
    found = zip(newest["date"], newest["standing"], newest["reasons"], strict=True)
    return sorted((Stands(*row) for row in found), key=lambda stands: stands.day)


def since_withdrawn(lines: pd.DataFrame) -> pd.DataFrame:
    """Attempts, in order, without those at each day up to where it was last taken back."""
    latest_first = lines["standing"].eq(WITHDRAWN)[::-1]
    gone = latest_first.groupby(lines["date"][::-1]).cummax()
    return lines[~gone.reindex(lines.index).astype(bool)]


def _row(attempt: Attempt) -> dict[str, Any]:
    row = asdict(attempt)
    row["date"] = row.pop("day")
    row["rules"] = json.dumps(attempt.rules or {})
    row["difference"] = json.dumps(row["difference"]) if attempt.difference else None
    return row
