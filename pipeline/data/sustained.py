"""Sustained episodes among rows of which nobody knows yet how long normal ones stay high.

Rows that nobody labelled count as normal, and some are not. Where they set the threshold it lies
among them, and the detector is blind to all that is no worse. A recalibration knows from the live
version's reference how long normal rows stay above a threshold (`pipeline.data.clusters`); the
first calibration of a version has only its own rows, so it measures both on these, in two steps:

1. **Suspect** widely, so that what is left shows normal rows. It starts low, at the highest 15 % of
   the scores, where several per cent of faulty rows are few clusters among many, and measures the
   mean span there again and again without the clusters that are too long for it. From then on the
   rows left give threshold and span, until nothing changes.
2. **Hold back** narrowly, by what those rows show: clusters that stay far above their threshold for
   longer than nine in ten normal clusters stay above it at all; that stay so far above it as no
   normal row does, for longer than every other normal cluster; or that are twenty times as long
   as the mean. Normal rows have rare hours, too (the hottest day, the highest load), which last,
   but not so high. Held back like suspected ones, they doubled the false alarms of a made plant
   (1.06 to 2.4 %).

Measured on log-normal AR(1) scores (rows of ten minutes on every sixth day, alpha 1 %; constants
chosen on other draws; true rate, in brackets without holding back). Clean, 2,160 rows, 200 draws:
0.96 % (0.96) at rho 0, 0.98 % (0.98) at 0.5, 1.12 % (1.12) at 0.9; 8,640 rows, 100 draws: 1.00 %
(1.00), 1.00 % (1.00), 1.02 % (1.02). With 5 % of the rows in episodes of 10 to 60 rows at +3 to
+5 sd: 0.94, 0.88 and 0.44 %; 0.97, 0.90 and 0.19 % (0.00 everywhere). At rho 0.9 normal rows stay
up as long as such episodes, and in half of the blocks the threshold still lies among them: that is
for the gate. With 300 rows at rho 0.9 it is 3.0 % instead of 2.2: too few to tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.data.clusters import cluster_numbers, mean_span, spanned, spans, sustained
from pipeline.data.held_back import NOTHING_HELD, HeldBack, HeldRows
from pipeline.data.timeline import Mask, Timeline, episodes, subset

JOIN_ROWS = 4
"""Rows above a level at most so many rows apart are one cluster."""

_TENTH = 10  # times alpha
_START = 0.15  # share of rows above the first level; several per cent may be faulty
_START_TAIL = 0.1
_ROUNDS = 8
_LISTED = 50


@dataclass(frozen=True)
class _Limits:
    """What is too long.

    Attributes:
        far: far above the threshold begins so many times the way from the highest tenth of the
            rows to the threshold beyond it, as a ratio; and the share of normal clusters that last
            longer than one that is far above.
        long: share that last longer than any other.
    """

    far: tuple[float, float]
    long: float


_SUSPECTED = _Limits(far=(0.7, 0.2), long=0.003)
# Chosen on a plant of eight channels (benchmarks/lasting), on seeds that it does not report.
_HELD = _Limits(far=(1.5, 0.1), long=1e-9)
_BEYOND = (4.0, 0.5)
"""As `far`, of rows above every normal one: four ways are six standard deviations of a logarithm
that is normal, and never reached by scores that are exponential."""


def sustained_rows(
    score: NDArray[np.floating], timeline: Timeline, *, alpha: float, far_only: bool = False
) -> Mask:
    """Mask of the rows in sustained episodes; `score` are those of rows that count as normal.

    With `far_only` only of episodes far above the threshold. None where the other rows would all
    score 0: of a channel with two values one is no episode.
    """
    suspected = _start(score, timeline)
    for _ in range(_ROUNDS):
        before = suspected
        suspected = _too_long(score, timeline, ~suspected, alpha, _SUSPECTED)
        if np.array_equal(suspected, before):
            break
    limits = replace(_HELD, long=0.0) if far_only else _HELD
    held = _too_long(score, timeline, ~suspected, alpha, limits)
    if np.quantile(score[~held], 1 - alpha) <= 0:
        return np.zeros(len(score), dtype=bool)
    return held


def listed(held: Mask, timeline: Timeline) -> HeldBack:
    """The held rows, counted, and the episodes that they lie in."""
    if not held.any():
        return NOTHING_HELD
    found = [
        HeldRows(each.entity, each.start.isoformat(), each.end.isoformat(), len(each.rows))
        for each in episodes(held, timeline, join_rows=JOIN_ROWS)
    ]
    longest = sorted(found, key=lambda each: -each.rows)[:_LISTED]
    return HeldBack(int(held.sum()), len(found), tuple(longest))


def _start(score: NDArray[np.floating], timeline: Timeline) -> Mask:
    """Mask of the rows in long clusters of the highest scores."""
    above = score > np.quantile(score, 1 - _START)
    longest = _longest_of_most(spans(above, timeline, join_rows=JOIN_ROWS))
    return sustained(above, timeline, longest=longest, join_rows=JOIN_ROWS)


def _longest_of_most(length: NDArray[np.integer]) -> int:
    """Longest span of a normal cluster, from spans of which some are of no normal ones."""
    while len(length):
        longest = spanned(float(length.mean()), _START_TAIL)
        fitting = length[length <= longest]
        if len(fitting) == len(length):
            return longest
        length = fitting
    return 1


def _too_long(
    score: NDArray[np.floating], timeline: Timeline, usual: Mask, alpha: float, limits: _Limits
) -> Mask:
    """Mask of the rows of clusters that are too long, by what the `usual` rows show."""
    mean = mean_span(score[usual], subset(timeline, usual), alpha=alpha, join_rows=JOIN_ROWS)
    levels = [1 - min(_TENTH * alpha, 0.5), 1 - alpha]
    tenth, threshold = np.quantile(score[usual], levels)

    def longer(level: float, tail: float) -> Mask:
        longest = spanned(mean, tail)
        return sustained(score > level, timeline, longest=longest, join_rows=JOIN_ROWS)

    above = score > threshold
    cluster = cluster_numbers(above, timeline, join_rows=JOIN_ROWS)
    far = np.zeros(len(score), dtype=bool)
    spread = threshold / tenth if tenth > 0 else 1.0
    # Without a spread nothing lies beyond the threshold by a multiple of it.
    for ways, tail in (limits.far, _BEYOND) if spread > 1 else (limits.far,):
        level = float(threshold * spread**ways)
        far |= above & np.isin(cluster, cluster[longer(level, tail)])
    return far | longer(float(threshold), limits.long) if limits.long else far
