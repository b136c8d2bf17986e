"""Days divided into groups that workers process at once: pure arithmetic, no clock and no table.

A hop from one task to the next costs seconds, so a group is worth half a minute of work; a worker
that dies loses one group and holds one at a time, so a group is never more than so many values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

from pipeline.config import Columns
from pipeline.utc_day import ONE_DAY

Work = Literal["load and score", "score again"]
"""The work to do for each group."""

SHORTEST_S = 30.0
"""Seconds of work that a group has at least: a hop between two tasks costs 1 to 5 s."""

MOST_GROUPS = 1_000
"""Airflow maps a task over 1,024 things at most (`core.max_map_length`)."""

WELL_SPREAD = 64
"""More groups than this balance no better between the workers of a deployment."""


@dataclass(frozen=True)
class Pace:
    """The speed of one worker at a task, in round figures of one core (November 2026).

    Measured on local files in November 2026: a store or a database that is slower makes groups
    longer, never shorter, than half a minute.

    Attributes:
        day_s: seconds that a day costs however few rows it has; measured on 432 rows, 5 channels.
        rows_a_second: for the rest; measured on 72,000 rows a day, 36 channels.
        most_values: rows times features that a group may have.
    """

    day_s: float
    rows_a_second: float
    most_values: int


# Without an upper bound inside, ingestion held 64 bytes a value at its peak: 2.4 GiB for these.
LOADING = Pace(day_s=0.005, rows_a_second=37_000, most_values=40_000_000)
SCORING = Pace(day_s=0.01, rows_a_second=68_000, most_values=80_000_000)


@dataclass(frozen=True)
class DayShape:
    """One day of a detector.

    Attributes:
        rows: number of rows, at least one.
        features: number of features.
    """

    rows: int
    features: int


def expected_shape(columns: Columns, machines: int) -> DayShape:
    """A day on which each of `machines` keeps its cadence."""
    steps = ONE_DAY / columns.cadence
    return DayShape(max(1, round(machines * steps)), len(columns.feature_columns))


def seconds(days: int, shape: DayShape, paces: Sequence[Pace]) -> float:
    """Seconds that one worker needs for `days` which go through the tasks with these `paces`."""
    return days * sum(pace.day_s + shape.rows / pace.rows_a_second for pace in paces)


def groups(days: Sequence[date], shape: DayShape, paces: Sequence[Pace]) -> list[tuple[date, ...]]:
    """`days` in order, cut into groups of neighbours in it whose sizes differ by one at most.

    As many as last `SHORTEST_S` each, and `WELL_SPREAD` at most; more where a group would have
    too many values for one of its tasks, though a day is never cut; never more than `MOST_GROUPS`,
    so that no run is refused for its length.

    Args:
        days: in any order; a repeated one counts once.
        shape: of one day.
        paces: of the tasks that each group goes through.
    """
    wanted = sorted(set(days))
    if not wanted:
        return []
    most_values = min(pace.most_values for pace in paces)
    shortest = math.ceil(SHORTEST_S / seconds(1, shape, paces))  # days
    longest = max(1, most_values // (shape.rows * shape.features))  # days
    number = max(1, min(len(wanted) // shortest, WELL_SPREAD), -(-len(wanted) // longest))
    return _evenly(wanted, min(number, MOST_GROUPS))


def groups_of(days: Sequence[date], size: int) -> list[tuple[date, ...]]:
    """`days` in order, cut into groups of `size` at most, as the user asked."""
    wanted = sorted(set(days))
    return _evenly(wanted, -(-len(wanted) // size)) if wanted else []


def _evenly(days: Sequence[date], number: int) -> list[tuple[date, ...]]:
    edges = [len(days) * n // number for n in range(number + 1)]
    return [tuple(days[first:end]) for first, end in pairwise(edges)]
