"""The plain ways to redraw a line each month. Opponents only: the pipeline has none of them.

Each takes the scores of the month and the line they were flagged by, and gives the next line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

_SIGMAS = 3.0
_MADS = 3.0
_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_RECENT = 2000  # rows that the rolling line looks back on


def never(score: Scores, line: float) -> float:
    """The first line for ever."""
    del score
    return line


def everything(score: Scores, line: float) -> float:
    """99th percentile of all rows, anomalies included."""
    del line
    return float(np.quantile(score, 0.99))


def unflagged(score: Scores, line: float) -> float:
    """99th percentile of the rows that the old line let pass: the usual advice, and the ratchet."""
    return float(np.quantile(score[score <= line], 0.99))


def mean_and_sigma(score: Scores, line: float) -> float:
    """Mean + 3 standard deviations."""
    del line
    return float(score.mean() + _SIGMAS * score.std())


def median_and_mad(score: Scores, line: float) -> float:
    """Median + 3 scaled median absolute deviations."""
    del line
    middle = float(np.median(score))
    return middle + _MADS * _MAD_TO_SIGMA * float(np.median(np.abs(score - middle)))


def rolling_median_and_mad(score: Scores, line: float) -> float:
    """The same on the newest 2,000 rows: the line that the last row of the month meets."""
    return median_and_mad(score[-_RECENT:], line)


OPPONENTS = {
    "never redrawn": never,
    "refit on everything": everything,
    "refit on unflagged rows": unflagged,
    "mean + 3 sigma": mean_and_sigma,
    "median + 3 MAD": median_and_mad,
    "rolling median + 3 MAD": rolling_median_and_mad,
}
