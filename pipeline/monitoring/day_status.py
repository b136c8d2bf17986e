"""The state of each expected day, which proves that none was skipped silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pipeline.config import DetectorSpec
from pipeline.data.grid import days_between
from pipeline.data.missing_channels import missing_text
from pipeline.store.day_records import DayRecord, Delivery, Scoring
from pipeline.utc_day import ONE_DAY

State = Literal[
    "scored", "quarantined", "failed", "empty", "waiting", "missing", "contradictory", "outside"
]
FINAL: tuple[State, ...] = ("scored", "quarantined", "failed", "empty")
"""The four final states. Any other state of an expected day is a violation."""


@dataclass(frozen=True)
class PartitionState:
    """The state of one day.

    Attributes:
        day: the UTC day.
        state: one of FINAL, or `waiting` (validated, and not scored as it is now), `missing`
            (never attempted), `contradictory` (the tables disagree about it), `outside` (on record,
            but not within the schedule of the present detector file, so not expected).
        reason: why, where it is not scored; else which channels were missing, if any.
        scoring_failed: whether it failed when it was scored; else it failed when it was ingested.
    """

    day: date
    state: State
    reason: str = ""
    scoring_failed: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the day has a final state, or does not need one."""
        return self.state in FINAL or not self.due

    @property
    def due(self) -> bool:
        """Whether the schedule expects the day."""
        return self.state != "outside"


def states_of(
    days: Sequence[date],
    deliveries: Mapping[date, Delivery],
    scorings: Mapping[date, Scoring],
) -> tuple[PartitionState, ...]:
    """The state of each of `days`. A day outside both mappings was never attempted."""
    return tuple(
        _state_of(day, deliveries.get(day), scorings.get(day, Scoring(held=False))) for day in days
    )


def states_on_record(
    spec: DetectorSpec, records: Mapping[date, DayRecord], today: date
) -> tuple[PartitionState, ...]:
    """The state of each day expected by `today`, and of all on record, oldest first."""
    deliveries = {day: each.delivery for day, each in records.items() if each.delivery}
    scorings = {day: each.scoring for day, each in records.items() if each.scoring}
    scored = {day for day, scoring in scorings.items() if scoring.held}
    with_rows = {day for day, each in deliveries.items() if each.had_rows} | scored
    known = deliveries.keys() | scored
    # A day that is not over is not due, and a result from before its end is not final.
    inside = {day for day in known if within(spec, day) and (day < today or day in with_rows)}
    due = {*expected(spec, sorted(with_rows & inside), today), *inside}
    states = states_of(sorted(due), deliveries, scorings)
    others = states_of(sorted(known - inside), deliveries, scorings)
    return tuple(sorted((*states, *map(_outside, others)), key=lambda each: each.day))


def within(spec: DetectorSpec, day: date) -> bool:
    """Whether `day` lies within the schedule of the present detector file."""
    start, end = spec.schedule.start, spec.schedule.end
    return start <= day and (end is None or day <= end)


def expected(spec: DetectorSpec, with_rows: Sequence[date], today: date) -> list[date]:
    """The expected days: from `schedule.start` to yesterday or `schedule.end`.

    A history that has ended is loaded by hand, so only the days between the first and the last of
    the loaded days `with_rows` are expected. A day on which the source had nothing does not extend
    that range: a scheduled run may have asked for it years later.
    """
    start, end = spec.schedule.start, spec.schedule.end
    yesterday = today - ONE_DAY
    if end is not None and end < yesterday:
        return days_between(with_rows[0], with_rows[-1]) if with_rows else []
    return days_between(start, yesterday)


def _outside(found: PartitionState) -> PartitionState:
    reason = f"{found.state}: {found.reason}" if found.reason else found.state
    return PartitionState(found.day, "outside", reason)


def _state_of(day: date, delivery: Delivery | None, scoring: Scoring) -> PartitionState:
    state, reason = _state(delivery, scoring)
    ingested = delivery is not None and delivery.standing == "validated"
    return PartitionState(day, state, reason, scoring_failed=ingested and state == "failed")


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
    return "waiting", "it is validated, and was never scored"


def _scored(delivery: Delivery, scoring: Scoring) -> tuple[State, str]:
    """The state of a validated day with scores: they may be those of earlier rows."""
    if not _changed_since(delivery, scoring):
        lacking = f"without {missing_text(delivery.missing)}" if delivery.missing else ""
        return "scored", lacking
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
