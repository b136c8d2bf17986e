"""The state of each expected day, which proves that none was skipped silently."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pipeline.config import DetectorSpec
from pipeline.monitoring.day_status import PartitionState, expected, outside, states_of, within
from pipeline.settings import Deployment
from pipeline.store.day_records import DayRecord
from pipeline.store.days import day_records


def partition_states(
    here: Deployment, spec: DetectorSpec, today: date
) -> tuple[PartitionState, ...]:
    """The state of every day that is expected by `today`, and of all on record, oldest first."""
    return states_on_record(spec, day_records(here, spec.name), today)


def states_on_record(
    spec: DetectorSpec, records: Mapping[date, DayRecord], today: date
) -> tuple[PartitionState, ...]:
    """As `partition_states`, from the records of all days."""
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
    return tuple(sorted((*states, *map(outside, others)), key=lambda each: each.day))
