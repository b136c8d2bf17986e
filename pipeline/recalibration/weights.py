"""The status of each row of the window, and its weight: the probability that it is normal.

Dropping every flagged row lowers the threshold month by month, keeping every one adapts it to the
faults (measured: 12 % instead of 1 % false alarms after a year, and 0.8 %). So the weight of a
flagged row without a label is that of its kind: 1 in a cluster as short as those of normal rows, 0
in a longer one, and where a random sample of flagged episodes was labelled, the share of normal
rows in that sample. No weight is ever above 1, whoever labels the row.

What counts as longer than clusters of normal rows says `pipeline.data.clusters`; a day with more
flags than normal days ever have is held back as well (`pipeline.recalibration.density`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.clusters import cluster_numbers
from pipeline.data.label import INCIDENT, NO_VERDICT, NORMAL
from pipeline.data.timeline import Indices, Mask
from pipeline.recalibration.records import STATUSES, WindowRows

CONFIRMED, PRESUMED, SUSPECT, INCIDENT_ROW, HELD, EXCLUDED = range(len(STATUSES))
_COUNTS = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])  # by status
_FEWEST_AUDITED = 10  # labelled episodes of a kind; the share of fewer is a guess


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
