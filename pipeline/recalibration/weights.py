"""What each row of the window is, and the probability that it is normal: its weight.

Dropping every flagged row ratchets the line down, keeping every one teaches it the faults
(measured: 12 % instead of 1 % false alarms after a year, and 0.8 %). Flagged rows that nobody
judged therefore weigh what is known about their kind: 1 in a cluster as short as normal rows
make, 0 in a longer one, and where a random sample of flagged episodes was labelled, the share of
normal rows in that sample. No row ever weighs more than 1, whoever labels it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.label import INCIDENT, NO_VERDICT, NORMAL
from pipeline.data.timeline import Indices, Mask
from pipeline.recalibration.clusters import cluster_numbers
from pipeline.recalibration.records import STATUSES, WindowRows

CONFIRMED, PRESUMED, SUSPECT, INCIDENT_ROW, HELD, EXCLUDED = range(len(STATUSES))
_COUNTS = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])  # by status
_FEWEST_AUDITED = 10  # labelled episodes of a kind, below which their share is a guess


def statuses(rows: WindowRows, held: Mask) -> NDArray[np.int8]:
    """Place in STATUSES of each row, shape (n,), given the rows in sustained episodes."""
    status = np.where(rows.score > rows.threshold, SUSPECT, PRESUMED).astype(np.int8)
    status[held] = HELD
    status[rows.verdict == NORMAL] = CONFIRMED
    status[rows.verdict == INCIDENT] = INCIDENT_ROW
    status[rows.excluded] = EXCLUDED
    return status


@dataclass(frozen=True)
class Weights:
    """How much each row counts.

    Attributes:
        weight: 0 to 1, shape (n,).
        variance: of the total weight of the flagged rows, by the luck of the audits; 0 without.
    """

    weight: NDArray[np.float64]
    variance: float


def weights(
    rows: WindowRows, status: NDArray[np.int8], held: Mask, month: Indices, *, join_rows: int
) -> Weights:
    """Weight of each row, given its status and the rows in sustained episodes, labelled or not.

    In the months with audits, the unjudged flagged rows of a kind (in a short cluster, in a held
    one) weigh the share of normal rows among that kind as the audits estimate it: a labelled row
    drawn with probability p stands for 1 / p rows (Horvitz & Thompson, JASA 1952; as a ratio of
    two such sums, Hajek 1971). Spread over all rows of the kind instead of heaped on the labelled
    ones, the sample costs no effective rows and no label gains power. Labels outside the draw
    count for their own rows only: people label what caught their eye.
    """
    weight = _COUNTS[status]
    flagged = (rows.score > rows.threshold) & ~rows.excluded
    drawn = flagged & np.isfinite(rows.audit) & (rows.verdict != NO_VERDICT)
    if not drawn.any():
        return Weights(weight, 0.0)
    cluster = cluster_numbers(flagged, rows.timeline, join_rows=join_rows)
    in_month = np.bincount(month[drawn], minlength=month.max() + 1) > 0
    unjudged = flagged & (rows.verdict == NO_VERDICT) & in_month[month]
    variance = 0.0
    for kind in (held, ~held):
        judged, unknown = drawn & kind, unjudged & kind
        size = np.bincount(cluster[judged])
        if np.count_nonzero(size) < _FEWEST_AUDITED:
            continue
        share = _normal_share(rows, judged)
        weight[unknown] = share
        # Rows of one cluster share their verdict: clusters were drawn, of unequal size (Kish).
        of_share = share * (1 - share) * float((size**2).sum()) / float(size.sum()) ** 2
        variance += float(unknown.sum()) ** 2 * of_share
    return Weights(weight, variance)


def _normal_share(rows: WindowRows, judged: Mask) -> float:
    stands_for = 1 / rows.audit[judged]
    return float(stands_for[rows.verdict[judged] == NORMAL].sum() / stands_for.sum())
