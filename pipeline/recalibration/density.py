"""Days with more flags than normal days ever have are held back, however short their clusters.

A weak outage that lasts for days flags in fragments. Each looks like a cluster of normal rows, so
that their length tells nothing, and they lower the level that rows above are compared with
(measured with 10 % of such rows: 0.3 % of normal rows flagged instead of 1 %, and 15 % of the
anomalous ones). Their number tells: so many flags within 24 hours are chance in one of
five hundred windows.

The law of that number is binomial on effective rows: normal flags come in clusters, and the
champion's own calibration rows say how many independent rows a row is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Mask, Timeline
from pipeline.utc_day import DAY_NS

_CHANCE = 0.002
_MOST_HELD = 0.5  # of the rows; where more windows are dense, the threshold is off and not the rows
_FRAGMENTS = 2  # times alpha: what a day has beside its sustained episodes
_FEWEST = 2  # effective rows in a window; one row cannot be dense


@dataclass(frozen=True)
class NormalDensity:
    """How many flags normal rows have within 24 hours.

    Attributes:
        alpha: share of normal rows above the threshold.
        worth: effective rows that a row counts as, 0 to 1.
    """

    alpha: float
    worth: float

    def most(self, rows: NDArray[np.intp], usual: float = 0.0) -> NDArray[np.float64]:
        """Greatest share of `rows` rows that is still normal, shape as given.

        `usual` is the share in most windows, which counts where it is higher than alpha.
        """
        effective = np.maximum(1.0, rows * self.worth)
        count = stats.binom.ppf(1 - _CHANCE, np.round(effective), max(self.alpha, usual))
        share: NDArray[np.float64] = np.where(effective < _FEWEST, 1.0, count / np.round(effective))
        return share


def normal_density(
    score: NDArray[np.floating], timeline: Timeline, *, alpha: float
) -> NormalDensity:
    """The density of normal rows with these scores, shape (n,)."""
    return NormalDensity(alpha, effective_rows(score, timeline) / max(1, len(score)))


def dense(above: Mask, sustained: Mask, timeline: Timeline, normal: NormalDensity) -> Mask:
    """Rows of a machine within 12 hours of a time around which more rows are above than usual.

    All of them, flagged or not: without the flagged ones alone the rest would look too quiet. A day
    with one `sustained` episode and few other rows above is not dense. None where that would be
    most rows: then the threshold that they are above is too low.
    """
    if not len(above):
        return above
    order = timeline.order
    first, after = _windows(timeline)

    def within(marked: Mask) -> NDArray[np.intp]:
        total = np.concatenate([[0], np.cumsum(marked[order])])
        return np.asarray(total[after] - total[first])

    rows = after - first
    share = within(above) / rows
    # A threshold that is too low makes every window dense: the median window is not to blame.
    usual = float(np.median(share))
    sizes, which = np.unique(rows, return_inverse=True)
    others = within(above & ~sustained) / np.maximum(1, rows - within(sustained))
    crowded = np.zeros(len(above), dtype=bool)
    crowded[order] = share > normal.most(sizes, usual=usual)[which]
    crowded[order] &= others > _FRAGMENTS * max(normal.alpha, usual)
    held = np.zeros(len(above), dtype=bool)
    held[order] = within(crowded) > 0
    return held if held.mean() <= _MOST_HELD else np.zeros_like(held)


def _windows(timeline: Timeline) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row, and the row after the last, of the 24 hours around each row, in their order."""
    order = timeline.order
    time, entity = timeline.time_ns[order], timeline.entity[order]
    # Machines follow each other with a gap that no window spans.
    apart = int(time.max() - time.min()) + 2 * DAY_NS
    at = time - time.min() + entity * apart
    return (
        np.searchsorted(at, at - DAY_NS // 2, "left"),
        np.searchsorted(at, at + DAY_NS // 2, "right"),
    )
