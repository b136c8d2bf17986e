"""How each expected day ended: the proof that none was skipped in silence.

The truth is in three tables: `ingestions` says how a day stands after its latest attempt,
`scores` whether it has scores, `scorings` when, and why not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.attempts import DayState, since_withdrawn
from pipeline.data.grid import days_between
from pipeline.table_schemas import COMMIT
from pipeline.tables import Table

State = Literal[
    "scored", "quarantined", "failed", "empty", "waiting", "missing", "contradictory", "outside"
]
SETTLED: tuple[State, ...] = ("scored", "quarantined", "failed", "empty")
"""The four ways a day may end. Any other state is a violation: nobody decided that it be so."""


@dataclass(frozen=True)
class PartitionState:
    """How one day stands.

    Attributes:
        day: the UTC day.
        state: one of SETTLED, or `waiting` (validated, and not scored as it is now), `missing`
            (never attempted), `contradictory` (the tables disagree about it), `outside` (on record,
            and not within the schedule as the detector file has it now: nothing is expected of it).
        reason: why, where it is not simply scored.
    """

    day: date
    state: State
    reason: str = ""

    @property
    def settled(self) -> bool:
        """Whether the day ended in one of the four ways, or need not end in any."""
        return self.state in SETTLED or not self.due

    @property
    def due(self) -> bool:
        """Whether the schedule expects the day."""
        return self.state != "outside"


@dataclass(frozen=True)
class Delivery:
    """What `ingestions` says of one day.

    Attributes:
        standing: after the latest attempt.
        reason: of that attempt.
        accepted: whether an attempt ever let rows through to `telemetry`.
        changed_at: when an attempt last changed the day's telemetry; None: none ever did.
        changed_in: the version of `telemetry` that this made; None where it is not on record.
    """

    standing: DayState
    reason: str = ""
    accepted: bool = True
    changed_at: datetime | None = None
    changed_in: int | None = None

    @property
    def had_rows(self) -> bool:
        """Whether the source ever had anything for the day."""
        return self.accepted or self.standing in ("validated", "quarantined")


@dataclass(frozen=True)
class Scoring:
    """What `scores` and `scorings` say of one day.

    Attributes:
        held: whether `scores` holds rows of it.
        verdict: of the latest scoring; None: there is no record of one.
        reason: of the latest scoring.
        scored_at: when a scoring last succeeded; None: none is on record.
        read: the newest version of `telemetry` that one has read; None likewise.
    """

    held: bool
    verdict: Literal["scored", "failed", "empty", "withdrawn"] | None = None
    reason: str = ""
    scored_at: datetime | None = None
    read: int | None = None


def settle(
    days: Sequence[date],
    deliveries: Mapping[date, Delivery],
    scorings: Mapping[date, Scoring],
) -> tuple[PartitionState, ...]:
    """The one state of each of `days`. A day outside both mappings was never attempted."""
    return tuple(
        PartitionState(day, *_state(deliveries.get(day), scorings.get(day, Scoring(held=False))))
        for day in days
    )


def partition_states(spec: DetectorSpec, *, root: str, today: date) -> tuple[PartitionState, ...]:
    """The state of every day that is expected by `today`, and of all on record, oldest first."""
    deliveries, scorings = _deliveries(root, spec.name), _scorings(root, spec.name)
    scored = {day for day, scoring in scorings.items() if scoring.held}
    with_rows = {day for day, each in deliveries.items() if each.had_rows} | scored
    known = deliveries.keys() | scored
    # A day that is not over is not due, and what was found too early settles nothing.
    inside = {day for day in known if within(spec, day) and (day < today or day in with_rows)}
    due = {*expected(spec, sorted(with_rows & inside), today), *inside}
    states = settle(sorted(due), deliveries, scorings)
    strangers = settle(sorted(known - inside), deliveries, scorings)
    return tuple(sorted((*states, *map(_outside, strangers)), key=lambda each: each.day))


def within(spec: DetectorSpec, day: date) -> bool:
    """Whether `day` lies within the schedule as the detector file has it now."""
    start, end = spec.schedule.start, spec.schedule.end
    return start <= day and (end is None or day <= end)


def expected(spec: DetectorSpec, with_rows: Sequence[date], today: date) -> list[date]:
    """The days that must be there: from `schedule.start` to yesterday or `schedule.end`.

    A history that has ended is loaded by hand and has no clock to be measured by, so nothing is
    expected outside the days `with_rows` that were loaded; a hole between them is. A day on which
    the source had nothing bounds no hole: a scheduled run may have asked for it years later.
    """
    start, end = spec.schedule.start, spec.schedule.end
    yesterday = today - timedelta(days=1)
    if end is not None and end < yesterday:
        return days_between(with_rows[0], with_rows[-1]) if with_rows else []
    return days_between(start, yesterday)


def _outside(stranger: PartitionState) -> PartitionState:
    told = f"{stranger.state}: {stranger.reason}" if stranger.reason else stranger.state
    return PartitionState(stranger.day, "outside", told)


def _state(delivery: Delivery | None, scoring: Scoring) -> tuple[State, str]:
    if scoring.held and (delivery is None or not delivery.accepted):
        return "contradictory", "it has scores, and no attempt ever let a row of it through"
    if delivery is None or delivery.standing == "withdrawn":
        return "missing", "it was never ingested"
    if delivery.standing != "validated":
        return delivery.standing, delivery.reason
    return _scored(delivery, scoring) if scoring.held else _not_scored(delivery, scoring)


def _not_scored(delivery: Delivery, scoring: Scoring) -> tuple[State, str]:
    """The state of a validated day without scores."""
    if scoring.verdict == "failed":
        return "failed", f"scoring: {scoring.reason}"
    if scoring.verdict == "scored":
        return "contradictory", "it is on record as scored, and `scores` holds no row of it"
    if scoring.verdict == "empty" or not delivery.accepted:
        return "empty", "no row of it was fit for use"
    return "waiting", "it is validated, and nobody ever scored it"


def _scored(delivery: Delivery, scoring: Scoring) -> tuple[State, str]:
    """The state of a validated day with scores: they may be those of earlier rows."""
    if not _changed_since(delivery, scoring):
        return "scored", ""
    if scoring.verdict == "failed":
        return "failed", f"scoring: {scoring.reason}"
    return "waiting", f"its rows changed at {delivery.changed_at:%Y-%m-%d %H:%M}, after its scores"


def _changed_since(delivery: Delivery, scoring: Scoring) -> bool:
    """Whether the rows changed after they were scored: by versions, as hosts differ in clocks."""
    if delivery.changed_in is not None and scoring.read is not None:
        return delivery.changed_in > scoring.read
    if delivery.changed_at is None or scoring.scored_at is None:
        return False
    return delivery.changed_at > scoring.scored_at


def _deliveries(root: str, detector: str) -> dict[date, Delivery]:
    names = ("verdict", "standing", "reasons", "accepted", "difference", "telemetry_version")
    table = Table(root, detector, "ingestions")
    lines = tables.read(table, columns=["attempted_at", COMMIT, *names], keep_date=True)
    lines = since_withdrawn(tables.in_order(lines, "attempted_at"))
    # The same rows judged by another contract are validated anew and change nothing.
    let_in = lines[lines["verdict"].eq("validated") & lines["accepted"].gt(0)]
    changed = let_in[~let_in.duplicated("date") | let_in["difference"].notna()]
    changed_at = dict(zip(changed["date"], changed["attempted_at"], strict=True))
    changed_in = _versions(changed.drop_duplicates("date", keep="last"))
    return {
        line["date"]: Delivery(
            standing=line["standing"],
            reason=line["reasons"] or "",
            accepted=line["date"] in changed_at,
            changed_at=changed_at.get(line["date"]),
            changed_in=changed_in.get(line["date"]),
        )
        for line in _latest(lines)
    }


def _scorings(root: str, detector: str) -> dict[date, Scoring]:
    held = set(tables.days_in(Table(root, detector, "scores")))
    names = ("verdict", "reason", "telemetry_version")
    table = Table(root, detector, "scorings")
    lines = tables.read(table, columns=["scored_at", COMMIT, *names], keep_date=True)
    lines = tables.in_order(lines, "scored_at")
    done = lines[lines["verdict"] == "scored"]
    scored_at: dict[date, pd.Timestamp] = dict(zip(done["date"], done["scored_at"], strict=True))
    # Of two runs that crossed, the one that read more may be on record first.
    read = _versions(done.sort_values("telemetry_version", na_position="first"))
    latest = {
        line["date"]: Scoring(
            held=line["date"] in held,
            verdict=line["verdict"],
            reason=line["reason"] or "",
            scored_at=scored_at.get(line["date"]),
            read=read.get(line["date"]),
        )
        for line in _latest(lines)
    }
    return {day: Scoring(held=True) for day in held} | latest


def _latest(lines: pd.DataFrame) -> list[dict[Any, Any]]:
    """The last line of each day; `lines` are in order."""
    return lines.drop_duplicates("date", keep="last").to_dict("records")


def _versions(lines: pd.DataFrame) -> dict[date, int]:
    """The version of telemetry that the last line of each day names; absent where it names none."""
    known = lines[lines["telemetry_version"].notna()]
    return dict(zip(known["date"], known["telemetry_version"].astype(int), strict=True))
