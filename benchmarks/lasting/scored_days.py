"""Days as operation scores them: each with the day before it to look back on, shifts muted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.grid import day_number, days_between, nanoseconds
from pipeline.detector.bundle.bundle import Bundle
from pipeline.incidents.judging import FlaggedRows, judge
from pipeline.utc_day import DAY_NS


@dataclass(frozen=True)
class ScoredDay:
    """One day with rows.

    Attributes:
        day: the UTC day.
        frame: its rows.
        judged: the same rows, scored.
    """

    day: date
    frame: pd.DataFrame
    judged: FlaggedRows


def scored_days(
    bundle: Bundle, frame: pd.DataFrame, spec: DetectorSpec, first: date, last: date
) -> Iterator[ScoredDay]:
    """The days from `first` to `last` that `frame` has rows of; nobody has decided anything.

    `frame` is in order of time. A row looks back a day at most (`pipeline.shifts`).
    """
    number = nanoseconds(frame[spec.columns.timestamp]) // DAY_NS
    for day in days_between(first, last):
        place = day_number(day)
        back, begin, end = np.searchsorted(number, [place - 1, place, place + 1])
        if begin < end:
            judged = judge(bundle, frame.iloc[back:end], int(end - begin), spec.shifts)
            yield ScoredDay(day, frame.iloc[begin:end], judged)
