"""Clusters of rows above a threshold, and how long those of normal rows are.

Normal rows exceed a threshold too, one in a hundred, and where neighbours are alike several do at a
time. Length separates them from anomalies without labels: a cluster longer than almost any of
normal rows is a sustained episode, and no evidence about normal rows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Indices, Mask, Timeline, runs, subset

_MORE = 5  # times alpha: the rate at which a small reference has enough clusters
_TAIL = 0.03  # of exponential spans at that rate are longer: 1 % or less at the threshold itself


def longest_normal(
    score: NDArray[np.floating], timeline: Timeline, *, alpha: float, join_rows: int
) -> int:
    """Number of rows that 99 % of the clusters of normal rows above the threshold span at most.

    `score` are normal scores; the threshold is their (1 - alpha) quantile. A reference of 5,000
    rows has so few clusters above it (19 where rho = 0.9) that their 99th percentile is unreliable:
    it was a third too short, and raised one false alarm in five. So it is computed from the mean
    span at five times the rate, as if spans were exponential. Spans are longer there, and the
    exponential tail is too short; for AR(1) scores the two errors about cancel (rho 0.5, 0.8, 0.9:
    5, 9, 15 rows, where 6, 10, 17 are true; rho 0.97: 28 for 43), with a third of the scatter.
    """
    return spanned(mean_span(score, timeline, alpha=alpha, join_rows=join_rows), _TAIL)


def mean_span(
    score: NDArray[np.floating], timeline: Timeline, *, alpha: float, join_rows: int
) -> float:
    """Mean span in rows of the clusters above the threshold of five times the rate `alpha`."""
    level = np.quantile(score, 1 - min(_MORE * alpha, 0.5))
    found = spans(score > level, timeline, join_rows=join_rows)
    return float(found.mean()) if len(found) else 1.0


def spanned(mean: float, tail: float) -> int:
    """Rows that all but a share `tail` of clusters span at most, as if spans were exponential."""
    return round(1 - (mean - 1) * math.log(tail))


def sustained(above: Mask, timeline: Timeline, *, longest: int, join_rows: int) -> Mask:
    """Mask of rows above the threshold in clusters that span more than `longest` rows."""
    held = np.zeros(len(above), dtype=bool)
    rows, starts, length = _clusters(above, timeline, join_rows)
    size = np.diff(starts, append=len(rows))
    held[rows[np.repeat(length > longest, size)]] = True
    return held


def cluster_numbers(marked: Mask, timeline: Timeline, *, join_rows: int) -> Indices:
    """Number of the cluster of each marked row, -1 elsewhere."""
    number = np.full(len(marked), -1, dtype=np.intp)
    rows, starts, _ = _clusters(marked, timeline, join_rows)
    number[rows] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rows)))
    return number


def spans(above: Mask, timeline: Timeline, *, join_rows: int) -> Indices:
    """The span in rows of each cluster of rows above a threshold."""
    return _clusters(above, timeline, join_rows)[2]


def _clusters(above: Mask, timeline: Timeline, join_rows: int) -> tuple[Indices, Indices, Indices]:
    """Ordered rows above the threshold, the start of each cluster of them, and its span in rows."""
    rows = np.flatnonzero(above)
    if not len(rows):
        return rows, rows, rows
    order, run = runs(subset(timeline, rows), join_rows=join_rows)
    rows = rows[order]
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    ends = np.append(starts[1:], len(rows)) - 1
    length = (
        np.rint(
            (timeline.time_ns[rows[ends]] - timeline.time_ns[rows[starts]]) / timeline.cadence_ns
        )
        + 1
    )
    return rows, starts, length.astype(np.intp)
