"""The plain ways to recalibrate each month. Opponents only: the pipeline has none of them.

Each gets the scores of the month and their threshold, and returns the next threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

_SIGMAS = 3.0
_MADS = 3.0
_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_RECENT = 2000  # rows of the rolling threshold


def never(score: Scores, threshold: float) -> float:
    """The first threshold for ever."""
    del score
    return threshold


def everything(score: Scores, threshold: float) -> float:
    """99th percentile of all rows, anomalies included."""
    del threshold
    return float(np.quantile(score, 0.99))


def unflagged(score: Scores, threshold: float) -> float:
    """99th percentile of the rows below the old threshold: the usual advice, and the ratchet."""
    return float(np.quantile(score[score <= threshold], 0.99))


def mean_and_sigma(score: Scores, threshold: float) -> float:
    """Mean + 3 standard deviations."""
    del threshold
    return float(score.mean() + _SIGMAS * score.std())


def median_and_mad(score: Scores, threshold: float) -> float:
    """Median + 3 scaled median absolute deviations."""
    del threshold
    middle = float(np.median(score))
    return middle + _MADS * _MAD_TO_SIGMA * float(np.median(np.abs(score - middle)))


def rolling_median_and_mad(score: Scores, threshold: float) -> float:
    """The same on the newest 2,000 rows: the threshold of the last row of the month."""
    return median_and_mad(score[-_RECENT:], threshold)


OPPONENTS = {
    "never recalibrated": never,
    "refit on everything": everything,
    "refit on unflagged rows": unflagged,
    "mean + 3 sigma": mean_and_sigma,
    "median + 3 MAD": median_and_mad,
    "rolling median + 3 MAD": rolling_median_and_mad,
}
