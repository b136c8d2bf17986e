"""The groups of days that the tasks of a load, a replay or a rollback are mapped over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day, days_between
from pipeline.data.groups import (
    LOADING,
    MOST_GROUPS,
    SCORING,
    DayShape,
    Pace,
    Work,
    expected_shape,
    groups,
    groups_of,
)
from pipeline.data.sources import SOURCES
from pipeline.data.sources.locations import anchored
from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.steps.candidate import detector_named
from pipeline.store.ingestions import largest_delivery
from pipeline.utc_day import end_of, midnight

_PACES: dict[Work, tuple[Pace, ...]] = {
    "load and score": (LOADING, SCORING),
    "score again": (SCORING,),
}

log = structlog.get_logger()


def plan(
    here: Deployment,
    detector: str,
    first: str,
    last: str,
    work: Work,
    *,
    days_a_group: int | None = None,
) -> list[list[str]]:
    """The days from `first` to `last`, both included, in groups; ISO dates in order.

    Raises:
        DataError: the range runs backwards, or `days_a_group` makes more groups than can be mapped.
        OutageError: the source was asked for the number of rows of a day, and did not answer.
    """
    days = days_between(as_day(first), as_day(last))
    if not days:
        msg = f"The first day {first} lies after the last day {last}; swap them."
        raise DataError(msg)
    if days_a_group is None:
        return grouped(here, detector, days, work)
    made = groups_of(days, days_a_group)
    if len(made) > MOST_GROUPS:
        msg = (
            f"days_a_group {days_a_group} makes {len(made):,} groups of {len(days):,} days and "
            f"{MOST_GROUPS:,} can be mapped; give {-(-len(days) // MOST_GROUPS)} or more, or "
            "leave it empty."
        )
        raise DataError(msg)
    return _iso_groups(detector, made)


def grouped(here: Deployment, detector: str, days: Sequence[date], work: Work) -> list[list[str]]:
    """`days` in groups large enough for a task each, as ISO dates; empty without days."""
    if not days:
        return []
    spec = detector_named(here, detector)
    return _iso_groups(detector, groups(days, _shape(here, spec, days, work), _PACES[work]))


def _shape(here: Deployment, spec: DetectorSpec, days: Sequence[date], work: Work) -> DayShape:
    """The size of a day: by cadence where the machines are known, else by past days or source."""
    columns = spec.columns
    if columns.entity is None or columns.entities:
        return expected_shape(columns, max(1, len(columns.entities)))
    rows = largest_delivery(here, spec.name)
    if rows == 0 and work == "load and score":
        rows = max(_rows_at_source(here, spec, day) for day in {min(days), max(days)})
    alone = expected_shape(columns, machines=1)
    return DayShape(max(rows, alone.rows), alone.features)


def _rows_at_source(here: Deployment, spec: DetectorSpec, day: date) -> int:
    """The number of rows that the source has for `day`; nothing is staged or recorded."""
    source = anchored(spec.source, here.data)
    rows = SOURCES[source.kind](source, spec.columns, midnight(day), end_of(day), here.cache)
    return len(rows)


def _iso_groups(detector: str, made: Sequence[Sequence[date]]) -> list[list[str]]:
    longest = max(map(len, made), default=0)
    log.info("days_grouped", detector=detector, groups=len(made), longest_days=longest)
    return [[day.isoformat() for day in group] for group in made]
