"""The status of each row of the window, and its weight: the probability that it is normal.

Dropping every flagged row lowers the threshold month by month, keeping every one adapts it to the
faults (measured: 12 % instead of 1 % false alarms after a year, and 0.8 %). So the weight of a
flagged row without a label is that of its kind: 1 in a cluster as short as those of normal rows, 0
in a longer one, and where a random sample of flagged episodes was labelled, the share of normal
rows in that sample. No weight is ever above 1, whoever labels the row.

Normal rows exceed the threshold too, one in a hundred, and where neighbours are alike several do at
a time. Length separates them from anomalies without labels: a cluster longer than almost any of
normal rows is a sustained episode, and no evidence about normal rows. So is a day with more flags
than normal days ever have (`pipeline.recalibration.density`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.label import INCIDENT, NO_VERDICT, NORMAL
from pipeline.data.timeline import Indices, Mask, Timeline, runs, subset
from pipeline.recalibration.records import STATUSES, WindowRows

_MORE = 5  # times alpha: the rate at which a small reference has enough clusters
_TAIL = 0.03  # of exponential spans at that rate are longer: 1 % or less at the threshold itself

CONFIRMED, PRESUMED, SUSPECT, INCIDENT_ROW, HELD, EXCLUDED = range(len(STATUSES))
_COUNTS = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])  # by status
_FEWEST_AUDITED = 10  # labelled episodes of a kind; the share of fewer is a guess


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
    level = np.quantile(score, 1 - min(_MORE * alpha, 0.5))
    _, _, spans = _clusters(score > level, timeline, join_rows)
    return round(1 - (float(spans.mean()) - 1) * math.log(_TAIL)) if len(spans) else 1


def sustained(above: Mask, timeline: Timeline, *, longest: int, join_rows: int) -> Mask:
    """Mask of rows above the threshold in clusters that span more than `longest` rows."""
    held = np.zeros(len(above), dtype=bool)
    rows, starts, spans = _clusters(above, timeline, join_rows)
    size = np.diff(starts, append=len(rows))
    held[rows[np.repeat(spans > longest, size)]] = True
    return held


def cluster_numbers(marked: Mask, timeline: Timeline, *, join_rows: int) -> Indices:
    """Number of the cluster of each marked row, -1 elsewhere."""
    number = np.full(len(marked), -1, dtype=np.intp)
    rows, starts, _ = _clusters(marked, timeline, join_rows)
    number[rows] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rows)))
    return number


def _clusters(above: Mask, timeline: Timeline, join_rows: int) -> tuple[Indices, Indices, Indices]:
    """Ordered rows above the threshold, the start of each cluster of them, and its span in rows."""
    rows = np.flatnonzero(above)
    if not len(rows):
        return rows, rows, rows
    order, run = runs(subset(timeline, rows), join_rows=join_rows)
    rows = rows[order]
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    ends = np.append(starts[1:], len(rows)) - 1
    spans = (
        np.rint(
            (timeline.time_ns[rows[ends]] - timeline.time_ns[rows[starts]]) / timeline.cadence_ns
        )
        + 1
    )
    return rows, starts, spans.astype(np.intp)


def statuses(rows: WindowRows, held: Mask) -> NDArray[np.int8]:
    """Index into STATUSES for each row, shape (n,), given the rows in sustained episodes."""
    status = np.where(rows.score > rows.threshold, SUSPECT, PRESUMED).astype(np.int8)
    status[held] = HELD
    status[rows.verdict == NORMAL] = CONFIRMED
    status[rows.verdict == INCIDENT] = INCIDENT_ROW
    status[rows.excluded] = EXCLUDED
    return status


@dataclass(frozen=True)
class Weights:
    """The weights of the rows.

    Attributes:
        weight: 0 to 1, shape (n,).
        variance: of the total weight of the flagged rows, due to the sampling of audits; 0 without.
    """

    weight: NDArray[np.float64]
    variance: float


def weights(
    rows: WindowRows, status: NDArray[np.int8], held: Mask, month: Indices, *, join_rows: int
) -> Weights:
    """Weight of each row, given its status and the rows in sustained episodes, labelled or not.

    In months with audits, the weight of unlabelled flagged rows of a kind (in a short cluster, in a
    held one) is the share of normal rows of that kind as the audits estimate it: a labelled row
    sampled with probability p counts as 1 / p rows (Horvitz & Thompson, JASA 1952; as a ratio of
    two such sums, Hajek 1971). The estimate applies to all rows of the kind instead of reweighting
    the labelled ones, so it costs no effective rows and no label gains influence. Labels outside
    the sample count for their own rows only: people label what they notice.
    """
    weight = _COUNTS[status]
    flagged = (rows.score > rows.threshold) & ~rows.excluded
    sampled = flagged & np.isfinite(rows.audit) & (rows.verdict != NO_VERDICT)
    if not sampled.any():
        return Weights(weight, 0.0)
    cluster = cluster_numbers(flagged, rows.timeline, join_rows=join_rows)
    in_month = np.bincount(month[sampled], minlength=month.max() + 1) > 0
    unlabelled = flagged & (rows.verdict == NO_VERDICT) & in_month[month]
    quiet = held & ~flagged & (rows.verdict == NO_VERDICT) & in_month[month] & ~rows.excluded
    variance = 0.0
    for kind in (held, ~held):
        labelled, unknown = sampled & kind, unlabelled & kind
        size = np.bincount(cluster[labelled])
        if np.count_nonzero(size) < _FEWEST_AUDITED:
            continue
        share = _normal_share(rows, labelled)
        weight[unknown] = share
        # Rows of a dense day that are not flagged are as normal as its flagged ones are.
        weight[quiet & kind] = share
        # Rows of one cluster share their label: clusters were sampled, of unequal size (Kish).
        of_share = share * (1 - share) * float((size**2).sum()) / float(size.sum()) ** 2
        variance += float(unknown.sum()) ** 2 * of_share
    return Weights(weight, variance)


def _normal_share(rows: WindowRows, labelled: Mask) -> float:
    stands_for = 1 / rows.audit[labelled]
    return float(stands_for[rows.verdict[labelled] == NORMAL].sum() / stands_for.sum())
