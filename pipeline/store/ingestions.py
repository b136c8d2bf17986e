"""The table `ingestions`: one row for each attempt at a day, so that none is skipped in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import pandas as pd
from pydantic import TypeAdapter

from pipeline.config import DetectorSpec
from pipeline.data.fingerprint import Difference, contract_hash
from pipeline.data.meaning import Meaning, as_text, from_text
from pipeline.data.missing_channels import MissingChannel
from pipeline.data.resting import Resting
from pipeline.settings import Deployment
from pipeline.tables import Table, append, in_order, read
from pipeline.tables.schemas import COMMIT
from pipeline.utc_day import ONE_DAY

DayState = Literal["validated", "quarantined", "empty", "failed", "withdrawn"]

WITHDRAWN: DayState = "withdrawn"
"""A person withdrew the day: earlier records of it no longer count."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at one day.

    Attributes:
        day: the UTC day.
        attempted_at: when, UTC.
        run_id: which run.
        verdict: the result of the attempt; `unchanged` when the tables held its result already.
        standing: the state of the day after it.
        reasons: why it is blocked or failed; empty otherwise.
        expected: rows that the machines should have sent.
        delivered: rows that came.
        accepted: rows let through.
        rejected: rows sent to quarantine.
        completeness: share of expected rows that came with a measurement.
        rules: rejected rows by reason.
        fingerprint: hash of the raw rows.
        contract: hash of the contract they were validated against.
        telemetry_version: version of `telemetry` after the attempt; None while there is none.
        difference: how telemetry of a day that was there before changed; None if it did not.
        meaning: the meaning of its rows by the detector file; None where none were written.
        partial: accepted rows without a channel that failed.
        missing: which channels these are.
        resting: channels that have never moved by the end of the day; None: nothing is known.
    """

    day: date
    attempted_at: datetime
    run_id: str
    verdict: Literal["validated", "quarantined", "empty", "unchanged", "failed", "withdrawn"]
    standing: DayState
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
    meaning: Meaning | None = None
    partial: int = 0
    missing: tuple[MissingChannel, ...] = ()
    resting: tuple[Resting, ...] | None = None


@dataclass(frozen=True)
class LatestState:
    """The state of a day after its latest attempt, and the reasons if it is not validated."""

    day: date
    standing: DayState
    reasons: str


_MISSING = TypeAdapter(tuple[MissingChannel, ...])
_RESTING = TypeAdapter(tuple[Resting, ...])


def missing_of(text: Any) -> tuple[MissingChannel, ...]:
    """The value of the column `missing`; an earlier release wrote null."""
    return _MISSING.validate_json(text) if isinstance(text, str) else ()


def record(here: Deployment, detector: str, attempts: Sequence[Attempt]) -> None:
    """Append `attempts` to the table, in one commit."""
    append(Table(here.storage, detector, "ingestions"), [_row(attempt) for attempt in attempts])


def record_failure(
    here: Deployment,
    spec: DetectorSpec,
    days: Sequence[date],
    reason: str,
    *,
    now: datetime,
    run_id: str,
) -> None:
    """Record that a stage failed for `days` before anything was written."""
    attempts = [
        Attempt(day, now, run_id, "failed", "failed", reason, contract=contract_hash(spec))
        for day in days
    ]
    record(here, spec.name, attempts)


def last_results(
    here: Deployment, detector: str, first: date, last: date
) -> dict[date, tuple[str, str]]:
    """Fingerprint and contract of the latest attempt at each day that did not fail."""
    columns = ["attempted_at", COMMIT, "standing", "fingerprint", "contract"]
    rows = read(
        Table(here.storage, detector, "ingestions"),
        first_day=first,
        last_day=last,
        columns=columns,
        keep_date=True,
    )
    done = in_order(rows[rows["standing"] != "failed"], "attempted_at")
    return dict(
        zip(done["date"], zip(done["fingerprint"], done["contract"], strict=True), strict=True)
    )


def latest_states(
    here: Deployment, detector: str, first: date | None = None, last: date | None = None
) -> list[LatestState]:
    """The state of each day from `first` to `last` that was ever attempted, oldest first."""
    rows = _counting(here, detector, ["standing", "reasons"], first, last)
    newest = rows.drop_duplicates("date", keep="last")
    found = zip(newest["date"], newest["standing"], newest["reasons"], strict=True)
    return sorted((LatestState(*row) for row in found), key=lambda state: state.day)


@dataclass(frozen=True)
class OnRecord:
    """The records of `ingestions` about the rows that `telemetry` holds.

    Attributes:
        held: days whose latest attempt let rows in, so that the table must hold some.
        meanings: the meaning of the rows of each day; an earlier release did not record it.
    """

    held: frozenset[date]
    meanings: dict[date, Meaning]


def on_record(here: Deployment, detector: str, first: date, last: date) -> OnRecord:
    """The records about the telemetry of the days from `first` to `last`."""
    rows = _counting(here, detector, ["standing", "accepted", "meaning"], first, last)
    latest = rows.drop_duplicates("date", keep="last")
    held = latest["date"][latest["standing"].eq("validated") & latest["accepted"].gt(0)]
    # A day that was blocked later keeps the rows that an earlier attempt let in.
    newest = rows[rows["standing"].eq("validated")].drop_duplicates("date", keep="last")
    known = newest[newest["meaning"].notna() & newest["accepted"].gt(0)]
    read_once = {text: from_text(text) for text in known["meaning"].unique()}
    pairs = zip(known["date"], known["meaning"], strict=True)
    return OnRecord(frozenset(held), {day: read_once[text] for day, text in pairs})


def counting_attempts(
    here: Deployment,
    detector: str,
    columns: Sequence[str],
    *,
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    """`date`, `attempted_at`, `standing` and `columns` of the attempts that count, in order.

    Those at the days from `first` to `last`, both included; None: no limit. Attempts at a day
    before a person withdrew it do not count.
    """
    return _counting(here, detector, ["standing", *columns], first, last)


def missing_between(
    here: Deployment, detector: str, first: date, last: date
) -> tuple[MissingChannel, ...]:
    """The channels that the rows of the days from `first` to `last` lack, by their attempts."""
    rows = _counting(here, detector, ["standing", "missing"], first, last)
    newest = rows.drop_duplicates("date", keep="last").sort_values("date")
    return tuple(each for text in newest["missing"] for each in missing_of(text))


def resting_before(
    here: Deployment, detector: str, day: date
) -> tuple[date, tuple[Resting, ...]] | None:
    """The newest day on record before `day`, and what had never moved by its end.

    None where no day before it had rows. Of a day that an earlier release validated everything
    counts as having moved.
    """
    rows = _counting(here, detector, ["standing", "resting"], last=day - ONE_DAY)
    newest = rows.drop_duplicates("date", keep="last")
    known = newest[newest["resting"].notna() | newest["standing"].eq("validated")]
    if known.empty:
        return None
    last = known.sort_values("date").to_dict("records")[-1]
    text = last["resting"]
    return last["date"], _RESTING.validate_json(text) if isinstance(text, str) else ()


def largest_delivery(here: Deployment, detector: str) -> int:
    """Rows that the source delivered on the largest day so far; 0 where nothing was ingested."""
    table = Table(here.storage, detector, "ingestions")
    delivered = read(table, columns=["delivered"])["delivered"]
    return int(delivered.max()) if len(delivered) else 0


def _counting(
    here: Deployment,
    detector: str,
    columns: Sequence[str],
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    table = Table(here.storage, detector, "ingestions")
    names = ["attempted_at", COMMIT, *columns]
    rows = in_order(
        read(table, first_day=first, last_day=last, columns=names, keep_date=True), "attempted_at"
    )
    latest_first = rows["standing"].eq(WITHDRAWN)[::-1]
    gone = latest_first.groupby(rows["date"][::-1]).cummax()
    return rows[~gone.reindex(rows.index).astype(bool)]


def _row(attempt: Attempt) -> dict[str, Any]:
    row = asdict(attempt)
    row["date"] = row.pop("day")
    row["rules"] = json.dumps(attempt.rules or {})
    row["difference"] = _as_text(attempt.difference) if attempt.difference else None
    row["meaning"] = as_text(attempt.meaning) if attempt.meaning else None
    row["resting"] = (
        None if attempt.resting is None else _RESTING.dump_json(attempt.resting).decode()
    )
    row["missing"] = _MISSING.dump_json(attempt.missing).decode()
    return row


def _as_text(difference: Difference) -> str:
    if difference.unknown:
        return json.dumps({"unknown": True})
    counts = asdict(difference)
    del counts["unknown"]
    return json.dumps(counts)
