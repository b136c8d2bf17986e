"""Slow degradation, seen against the last state that a person or a training has accepted.

A recalibration follows its own past: what grew below its bounds is in the window that the next one
starts from. So the daily shares of rows above two levels of the accepted scores, their 90 and 99 %
quantiles, are watched with these levels frozen: the first sees what raises all rows, the second
what raises some. The watch is valid at any time: however often and for however long one looks, a
false call comes once in a thousand days at most, on average. A share that is higher by what the
calibration rows leave unknown is no evidence.

Source: Shin, Ramdas & Rinaldo, "E-detectors", New England Journal of Statistics in Data Science,
2023: the Shiryaev-Roberts sum of bets on each day, mixed over their stakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Mask, Timeline, subset
from pipeline.utc_day import DAY_NS

Vector = NDArray[np.float64]

_SHARES = (0.1, 0.01)  # of the accepted rows above a level
_RUN_DAYS = 1000.0  # mean days to a false call
_STAKES = np.array([0.05, 0.1, 0.2, 0.4, 0.8])  # of what a day without a row above the level loses
_UPPER = 0.975


@dataclass(frozen=True)
class FrozenLevel:
    """A level of accepted scores.

    Attributes:
        value: the score.
        share: share of rows that may lie above it: the upper end of its 95 % interval.
    """

    value: float
    share: float


@dataclass(frozen=True)
class Degradation:
    """More rows lie above a frozen level than in the accepted state.

    Attributes:
        since: day from which the evidence counts.
        called: first day on which it was sufficient.
        level: the level on which it shows most.
        share: of the rows above it since then.
        machines: those of which more rows are above it than the accepted state allows.
    """

    since: date
    called: date
    level: FrozenLevel
    share: float
    machines: tuple[str, ...]


def frozen_levels(score: NDArray[np.floating], timeline: Timeline) -> tuple[FrozenLevel, ...]:
    """The levels of accepted scores, shape (n,)."""
    worth = effective_rows(score, timeline) + 1
    return tuple(
        FrozenLevel(
            float(np.quantile(score, 1 - share)),
            float(stats.beta.ppf(_UPPER, share * worth, (1 - share) * worth)),
        )
        for share in _SHARES
    )


def degradation(
    score: NDArray[np.floating],
    counted: Mask,
    timeline: Timeline,
    levels: tuple[FrozenLevel, ...],
) -> Degradation | None:
    """The first call on the days of these rows, shape (n,); None while there is none.

    `counted` leaves out muted rows and labelled incidents.
    """
    day = timeline.time_ns[counted] // DAY_NS
    if not len(day):
        return None
    days, which = np.unique(day, return_inverse=True)
    rows = np.bincount(which)
    above = [np.bincount(which, weights=score[counted] > level.value) for level in levels]
    wealth = [_wealth(each / rows, level) for each, level in zip(above, levels, strict=True)]
    called = np.flatnonzero(np.mean(wealth, axis=0) >= _RUN_DAYS)
    if not len(called):
        return None
    last = int(called[0])
    most = int(np.argmax([each[last] for each in wealth]))
    first = _since((above[most] / rows)[: last + 1], levels[most])
    recent = counted & (timeline.time_ns // DAY_NS >= days[first])
    return Degradation(
        since=_date(days[first]),
        called=_date(days[last]),
        level=levels[most],
        machines=_machines(
            score[recent] > levels[most].value, subset(timeline, recent), levels[most]
        ),
        share=float(above[most][first : last + 1].sum() / rows[first : last + 1].sum()),
    )


def _wealth(share: Vector, level: FrozenLevel) -> Vector:
    """The Shiryaev-Roberts sum after each day; each day one more bet begins."""
    stakes = _STAKES / level.share
    held, course = np.zeros(len(stakes)), np.empty(len(share))
    for number, today in enumerate(share):
        held = (held + 1 / len(stakes)) * (1 + stakes * (today - level.share))
        course[number] = held.sum()
    return course


def _since(share: Vector, level: FrozenLevel) -> int:
    """The first of the days that together speak most for growth: where the bets win most."""
    won = np.log1p(_STAKES[:, None] / level.share * (share - level.share))
    before = np.cumsum(won, axis=1) - won
    stake = int(np.argmax((before[:, -1:] + won[:, -1:] - before).max(axis=1)))
    return int(np.argmin(before[stake]))


def _machines(above: Mask, timeline: Timeline, level: FrozenLevel) -> tuple[str, ...]:
    """The named machines with a larger share above the level than it allows."""
    size = np.bincount(timeline.entity, minlength=len(timeline.names))
    hits = np.bincount(timeline.entity, weights=above, minlength=len(timeline.names))
    carrying = np.flatnonzero(hits > level.share * size)
    return tuple(timeline.names[at] for at in carrying if timeline.names[at])


def _date(day: np.int64) -> date:
    return pd.Timestamp(int(day) * DAY_NS, tz="UTC").date()
