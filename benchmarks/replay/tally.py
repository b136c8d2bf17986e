"""Counting: false alarms and outages hit, by month and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.replay.opponents import DatedThreshold, nanoseconds
from benchmarks.replay.policies import PolicyThreshold
from benchmarks.replay.rows import Judged
from pipeline.data.timeline import episodes


@dataclass(frozen=True)
class MonthTally:
    """One policy in one month.

    Attributes:
        month: YYYY-MM.
        normal_rows: rows that should not be flagged.
        false_alarms: of those, the flagged ones.
        alert_rate: share of all rows that is flagged.
        outages: that began in the month.
        hit: of those, the ones with a flagged row.
        worst_day: with the most false alarms, YYYY-MM-DD; empty in a month without any.
        on_worst_day: false alarms of that day.
        threshold: in force on the first day of the month.
    """

    month: str
    normal_rows: int
    false_alarms: int
    alert_rate: float
    outages: int
    hit: int
    worst_day: str
    on_worst_day: int
    threshold: PolicyThreshold

    @property
    def rate(self) -> float:
        """False alarms among normal rows."""
        return self.false_alarms / max(1, self.normal_rows)


@dataclass(frozen=True)
class Tally:
    """One policy over all months."""

    policy: str
    months: tuple[MonthTally, ...]

    @property
    def rate(self) -> float:
        """False alarms among all normal rows."""
        rows = sum(month.normal_rows for month in self.months)
        return sum(month.false_alarms for month in self.months) / max(1, rows)

    @property
    def worst(self) -> MonthTally:
        """The month with the highest rate after the first recalibration."""
        return max(self.months[1:], key=lambda month: month.rate)

    @property
    def outages(self) -> int:
        """Number of outages."""
        return sum(month.outages for month in self.months)

    @property
    def hit(self) -> int:
        """Number of outages with a flagged row."""
        return sum(month.hit for month in self.months)


def tally(
    policy: str,
    rows: Judged,
    threshold: NDArray[np.float64],
    dated: Sequence[DatedThreshold],
    months: Sequence[tuple[date, date]],
) -> Tally:
    """Count `policy`, whose threshold at each row is `threshold`, shape (n,)."""
    flagged = rows.score > threshold
    false = flagged & rows.normal
    outages = [
        (each.start.value, bool(flagged[each.rows].any()))
        for each in episodes(rows.incident, rows.timeline)
    ]
    counted = []
    for first, last in months:
        begin, end = nanoseconds(first), nanoseconds(last + timedelta(days=1))
        own = (rows.timeline.time_ns >= begin) & (rows.timeline.time_ns < end)
        here = [hit for start, hit in outages if begin <= start < end]
        worst_day, on_worst_day = _worst_day(rows.timeline.time_ns[own & false])
        counted.append(
            MonthTally(
                month=f"{first:%Y-%m}",
                normal_rows=int((own & rows.normal).sum()),
                false_alarms=int((own & false).sum()),
                alert_rate=float(flagged[own].mean()) if own.any() else 0.0,
                outages=len(here),
                hit=sum(here),
                worst_day=worst_day,
                on_worst_day=on_worst_day,
                threshold=next(each for day, each in reversed(dated) if day <= first),
            )
        )
    return Tally(policy, tuple(counted))


def _worst_day(time_ns: NDArray[np.int64]) -> tuple[str, int]:
    """The day on which most of these moments lie, and how many."""
    if not len(time_ns):
        return "", 0
    days, counts = np.unique(
        time_ns.astype("datetime64[ns]").astype("datetime64[D]"), return_counts=True
    )
    return str(days[counts.argmax()]), int(counts.max())
