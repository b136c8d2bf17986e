"""A policy played through the months: each line follows from the days before it, never later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.replay.policies import Line, Past, Policy
from benchmarks.replay.rows import Judged
from pipeline.data.grid import days_between
from pipeline.data.timeline import subset

Drawn = tuple[date, Line]


def play(
    policy: Policy,
    rows: Judged,
    months: Sequence[tuple[date, date]],
    *,
    first: Line,
    at_training: NDArray[np.float64],
    alpha: float,
    window_days: int,
) -> list[Drawn]:
    """The lines of `policy`, each with the first day that it is in force.

    The first of `months` is judged by the first line; then the line is redrawn at the begin of
    each month, or of each day, on the last days since `months` began.
    """
    begin = months[0][0]
    opens = [
        day
        for month, last in months[1:]
        for day in (days_between(month, last) if policy.daily else (month,))
    ]
    lines: list[Drawn] = [(begin, first)]
    in_force = np.full(len(rows.score), first.value)
    back = timedelta(days=policy.window_days or window_days)
    for day in opens:
        seen = _between(rows, max(begin, day - back), day)
        past = Past(
            score=rows.score[seen],
            in_force=in_force[seen],
            timeline=subset(rows.timeline, seen),
            current=lines[-1][1],
            at_training=at_training,
            first=first,
            alpha=alpha,
        )
        drawn = policy.redraw(past)
        in_force[rows.timeline.time_ns >= nanoseconds(day)] = drawn.value
        lines.append((day, drawn))
    return lines


def thresholds(lines: Sequence[Drawn], time_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """The line in force at each moment, shape (n,)."""
    starts = np.array([nanoseconds(day) for day, _ in lines])
    values = np.array([line.value for _, line in lines])
    at: NDArray[np.float64] = values[np.searchsorted(starts, time_ns, "right") - 1]
    return at


def nanoseconds(day: date) -> int:
    """The first moment of `day`, UTC."""
    return int(pd.Timestamp(datetime.combine(day, time(), UTC)).value)


def _between(rows: Judged, first: date, end: date) -> NDArray[np.intp]:
    time_ns = rows.timeline.time_ns
    return np.flatnonzero((time_ns >= nanoseconds(first)) & (time_ns < nanoseconds(end)))
