"""A policy simulated through the months: each threshold depends on earlier days only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.replay.policies import Past, Policy, PolicyThreshold
from benchmarks.replay.rows import Judged
from pipeline.data.grid import days_between
from pipeline.data.timeline import subset
from pipeline.utc_day import midnight

DatedThreshold = tuple[date, PolicyThreshold]


def play(
    policy: Policy,
    rows: Judged,
    months: Sequence[tuple[date, date]],
    *,
    first: PolicyThreshold,
    at_training: NDArray[np.float64],
    alpha: float,
    window_days: int,
) -> list[DatedThreshold]:
    """The thresholds of `policy`, each with the first day that it is in force.

    The first of `months` has the first threshold; then it is estimated again at the begin of
    each month, or of each day, on the last days since `months` began.
    """
    begin = months[0][0]
    opens = [
        day
        for month, last in months[1:]
        for day in (days_between(month, last) if policy.daily else (month,))
    ]
    dated: list[DatedThreshold] = [(begin, first)]
    in_force = np.full(len(rows.score), first.value)
    back = timedelta(days=policy.window_days or window_days)
    for day in opens:
        seen = _between(rows, max(begin, day - back), day)
        past = Past(
            score=rows.score[seen],
            in_force=in_force[seen],
            timeline=subset(rows.timeline, seen),
            current=dated[-1][1],
            at_training=at_training,
            first=first,
            alpha=alpha,
        )
        threshold = policy.estimate(past)
        in_force[rows.timeline.time_ns >= nanoseconds(day)] = threshold.value
        dated.append((day, threshold))
    return dated


def thresholds(dated: Sequence[DatedThreshold], time_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """The threshold in force at each moment, shape (n,)."""
    starts = np.array([nanoseconds(day) for day, _ in dated])
    values = np.array([each.value for _, each in dated])
    at: NDArray[np.float64] = values[np.searchsorted(starts, time_ns, "right") - 1]
    return at


def nanoseconds(day: date) -> int:
    """The first moment of `day`, UTC."""
    return int(pd.Timestamp(midnight(day)).value)


def _between(rows: Judged, first: date, end: date) -> NDArray[np.intp]:
    time_ns = rows.timeline.time_ns
    return np.flatnonzero((time_ns >= nanoseconds(first)) & (time_ns < nanoseconds(end)))
