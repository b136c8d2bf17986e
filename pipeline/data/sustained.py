"""Sustained episodes among rows of which nobody knows yet how long normal ones stay high.

Rows that nobody labelled count as normal, and some are not. Where they set the threshold it lies
among them, and the detector is blind to all that is no worse. A recalibration knows from the live
version's reference how long normal rows stay above a threshold (`pipeline.data.clusters`); the
first calibration of a version has only its own rows, so it measures both on these:

1. It starts low, at the highest 15 % of the scores, where several per cent of faulty rows are few
   clusters among many. The mean span there is measured again and again without the clusters that
   are too long for it, and then those are held back.
2. From the rows left it estimates the threshold and the span of normal clusters, and holds back
   what is too long for *those*, until nothing changes. Long is a cluster above the threshold that
   not one in 300 normal ones reaches; or one that not one in five reaches, where it stays that long
   far above the threshold, which normal rows hardly do.

Measured on log-normal AR(1) scores (rows of ten minutes on every sixth day, alpha 1 %; constants
chosen on other draws; true rate, in brackets without holding back). Clean, 2,160 rows, 200 draws:
0.98 % (0.96) at rho 0, 0.99 % (0.98) at 0.5, 1.17 % (1.12) at 0.9; 8,640 rows, 100 draws: 1.01 %
(1.00), 1.01 % (1.00), 1.07 % (1.02). With 5 % of the rows in episodes of 10 to 60 rows at +3 to
+5 sd: 1.01, 1.01 and 0.69 %; 1.02, 1.00 and 0.60 % (0.00 everywhere). The misses at rho 0.9 are a
third of the blocks, in which the threshold still lies among the faulty rows: normal rows stay up as
long there. With 300 rows at rho 0.9 the rate becomes 3.18 % instead of 2.18: too few to tell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.data.clusters import mean_span, spanned, spans, sustained
from pipeline.data.held_back import NOTHING_HELD, HeldBack, HeldRows
from pipeline.data.timeline import Mask, Timeline, episodes, subset

JOIN_ROWS = 4
"""Rows above a level at most so many rows apart are one cluster."""

_START = 0.15  # share of rows above the first level; several per cent may be faulty
_START_TAIL = 0.1
_LONG, _LONG_AND_FAR = 0.003, 0.2  # share of normal clusters that last longer
_FAR = 0.7  # of the way from the highest tenth of the rows to the threshold, beyond it
_TENTH = 10  # times alpha
_ROUNDS = 8
_LISTED = 50


def sustained_rows(
    score: NDArray[np.floating], timeline: Timeline, *, alpha: float, far_only: bool = False
) -> Mask:
    """Mask of the rows in sustained episodes; `score` are those of rows that count as normal.

    With `far_only` only of episodes far above the threshold: clean rows have hardly any. None
    where the other rows would all score 0: of a channel with two values one is no episode.
    """
    held = _start(score, timeline)
    far = held
    for _ in range(_ROUNDS):
        before = held
        held, far = _held(score, timeline, ~held, alpha)
        if np.array_equal(held, before):
            break
    if np.quantile(score[~held], 1 - alpha) <= 0:
        return np.zeros(len(score), dtype=bool)
    return far if far_only else held


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


def _held(
    score: NDArray[np.floating], timeline: Timeline, kept: Mask, alpha: float
) -> tuple[Mask, Mask]:
    """Rows of long clusters, by what the `kept` rows show of normal ones; those far above alone."""
    usual = score[kept]
    mean = mean_span(usual, subset(timeline, kept), alpha=alpha, join_rows=JOIN_ROWS)
    tenth, threshold = np.quantile(usual, [1 - min(_TENTH * alpha, 0.5), 1 - alpha])
    beyond = threshold * (threshold / tenth) ** _FAR if tenth > 0 else threshold

    def longer(level: float, tail: float) -> Mask:
        longest = spanned(mean, tail)
        return sustained(score > level, timeline, longest=longest, join_rows=JOIN_ROWS)

    far = longer(float(beyond), _LONG_AND_FAR)
    return far | longer(float(threshold), _LONG), far
