"""The record of a day: what the tables say of its delivery, its scores and its episodes.

It follows from the day's own files in SOURCES, so that it need not be read again while these stay.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal, cast

import pandas as pd

from pipeline.data.label import Verdict, Withdrawal
from pipeline.data.missing_channels import MissingChannel
from pipeline.incidents.parts import ANOMALY
from pipeline.incidents.unanswered import NS_IN_US, FlaggedParts
from pipeline.settings import Deployment
from pipeline.store.audits import audits_begun
from pipeline.store.incidents import raised_parts
from pipeline.store.ingestions import DayState, counting_attempts, missing_of
from pipeline.store.labels import labels_made
from pipeline.store.scores import scored_days
from pipeline.store.scorings import scorings_in_order
from pipeline.tables.schemas import TableName

SOURCES: tuple[TableName, ...] = (
    "ingestions",
    "scores",
    "scorings",
    "incidents",
    "audits",
    "labels",
)
"""The tables that a record is made from."""


@dataclass(frozen=True)
class Delivery:
    """The state of one day in `ingestions`.

    Attributes:
        standing: after the latest attempt.
        reason: of that attempt.
        accepted: whether an attempt ever let rows through to `telemetry`.
        changed_at: when an attempt last changed the day's telemetry; None: never.
        changed_in: the version of `telemetry` that this made; None where it is not on record.
        missing: channels that its accepted rows lack, because a sensor failed.
    """

    standing: DayState
    reason: str = ""
    accepted: bool = True
    changed_at: datetime | None = None
    changed_in: int | None = None
    missing: tuple[MissingChannel, ...] = ()

    @property
    def had_rows(self) -> bool:
        """Whether the source ever had rows for the day."""
        return self.accepted or self.standing in ("validated", "quarantined")


@dataclass(frozen=True)
class Scoring:
    """The state of one day in `scores` and `scorings`.

    Attributes:
        held: whether `scores` has rows of it.
        verdict: of the latest scoring; None without one on record.
        reason: of the latest scoring.
        scored_at: when a scoring last succeeded; None: none is on record.
        read: the newest version of `telemetry` that one has read; None likewise.
    """

    held: bool
    verdict: Literal["scored", "failed", "empty", "withdrawn"] | None = None
    reason: str = ""
    scored_at: datetime | None = None
    read: int | None = None


@dataclass(frozen=True)
class JudgedSpan:
    """A label without its author and its words.

    Attributes:
        start: first moment of the span.
        end: last moment, included.
        entity: the machine; None: all of them.
        verdict: `incident` or `normal`, or `withdrawn`.
        created_at: when it was made.
    """

    start: datetime
    end: datetime
    entity: str | None
    verdict: Verdict | Withdrawal
    created_at: datetime


@dataclass(frozen=True)
class DayRecord:
    """What the tables say of one UTC day.

    Attributes:
        delivery: of its rows; None: no attempt counts.
        scoring: None without scores and without a scoring on record.
        flagged: parts within the day of the flagged episodes that are raised.
        sampled: machine and start, in UTC microseconds since 1970, of the episodes that began then
            and were sampled for an audit.
        judged: the labels made on that day, whichever rows they are about.
    """

    delivery: Delivery | None = None
    scoring: Scoring | None = None
    flagged: FlaggedParts = field(default_factory=FlaggedParts)
    sampled: tuple[tuple[str, int], ...] = ()
    judged: tuple[JudgedSpan, ...] = ()


def read_day_records(
    here: Deployment, detector: str, first: date, last: date
) -> dict[date, DayRecord]:
    """The records of `first` to `last` (both included), from SOURCES; days without one left out.

    Raises:
        UnprovenAnswer: a label that the newest key of answers has not signed.
        OutageError: the store does not answer.
    """
    deliveries = _deliveries(here, detector, first, last)
    scorings = _scorings(here, detector, first, last)
    flagged = _flagged(here, detector, first, last)
    sampled, judged = defaultdict(list), defaultdict(list)
    for audit in audits_begun(here, detector, first, last):
        sampled[audit.start.astimezone(UTC).date()].append(
            (audit.entity, _microseconds(audit.start))
        )
    for label in labels_made(here, detector, first, last):
        span = JudgedSpan(label.start, label.end, label.entity, label.verdict, label.created_at)
        judged[label.created_at.astimezone(UTC).date()].append(span)
    known = {*deliveries, *scorings, *flagged, *sampled, *judged}
    return {
        day: DayRecord(
            deliveries.get(day),
            scorings.get(day),
            flagged.get(day, FlaggedParts()),
            tuple(sampled.get(day, ())),
            tuple(judged.get(day, ())),
        )
        for day in known
    }


def _deliveries(here: Deployment, detector: str, first: date, last: date) -> dict[date, Delivery]:
    names = ("verdict", "reasons", "accepted", "difference", "telemetry_version", "missing")
    rows = counting_attempts(here, detector, names, first=first, last=last)
    # The same rows judged by another contract are validated anew and change nothing.
    let_in = rows[rows["verdict"].eq("validated") & rows["accepted"].gt(0)]
    changed = let_in[~let_in.duplicated("date") | let_in["difference"].notna()]
    changed_at = _moments(changed, "attempted_at")
    changed_in = _versions(changed.drop_duplicates("date", keep="last"))
    return {
        row["date"]: Delivery(
            standing=row["standing"],
            reason=row["reasons"] or "",
            accepted=row["date"] in changed_at,
            changed_at=changed_at.get(row["date"]),
            changed_in=changed_in.get(row["date"]),
            missing=missing_of(row["missing"]),
        )
        for row in _latest(rows)
    }


def _scorings(here: Deployment, detector: str, first: date, last: date) -> dict[date, Scoring]:
    held = {day for day in scored_days(here, detector) if first <= day <= last}
    names = ("verdict", "reason", "telemetry_version")
    rows = scorings_in_order(here, detector, names, first=first, last=last)
    done = rows[rows["verdict"] == "scored"]
    scored_at = _moments(done, "scored_at")
    # Of two runs that crossed, the one that read more may be on record first.
    read = _versions(done.sort_values("telemetry_version", na_position="first"))
    latest = {
        row["date"]: Scoring(
            held=row["date"] in held,
            verdict=row["verdict"],
            reason=row["reason"] or "",
            scored_at=scored_at.get(row["date"]),
            read=read.get(row["date"]),
        )
        for row in _latest(rows)
    }
    return {day: Scoring(held=True) for day in held} | latest


def _flagged(here: Deployment, detector: str, first: date, last: date) -> dict[date, FlaggedParts]:
    names = ["date", "kind", "entity", "start", "end", "rows"]
    rows = raised_parts(here, detector, names, first=first, last=last)
    rows = rows[rows["kind"] == ANOMALY].sort_values(["start", "entity", "end", "rows"])
    return {
        cast("date", day): FlaggedParts(
            tuple(part["entity"]),
            tuple(map(_microseconds, part["start"])),
            tuple(map(_microseconds, part["end"])),
            tuple(map(int, part["rows"])),
        )
        for day, part in rows.groupby("date")
    }


def _microseconds(moment: datetime) -> int:
    return int(pd.Timestamp(moment).value // NS_IN_US)


def _latest(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """The last row of each day; `rows` are in order."""
    return rows.drop_duplicates("date", keep="last").to_dict("records")


def _moments(rows: pd.DataFrame, clock: str) -> dict[date, datetime]:
    """The time in column `clock` of the last row of each day."""
    return {day: at.to_pydatetime() for day, at in zip(rows["date"], rows[clock], strict=True)}


def _versions(rows: pd.DataFrame) -> dict[date, int]:
    """The version of telemetry that the last row of each day names; absent where it names none."""
    known = rows[rows["telemetry_version"].notna()]
    return dict(zip(known["date"], known["telemetry_version"].astype(int), strict=True))
