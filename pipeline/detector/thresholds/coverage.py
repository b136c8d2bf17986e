"""Uncertainty of a threshold from held-out scores: distribution-free laws of order statistics.

Source: Clopper & Pearson, Biometrika 1934; Vovk, "Conditional validity of inductive conformal
predictors", ACML 2012; David & Nagaraja, "Order Statistics", 2003, section 7.1.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Interval = tuple[float, float]
OpenInterval = tuple[float | None, float | None]

_TAILS = (0.025, 0.975)


def conformal_rank(n: int, alpha: float) -> int:
    """ceil((n + 1)(1 - alpha)), exactly: in floats 100 * (1 - 0.01) can exceed 99."""
    return math.ceil((n + 1) * (1 - Fraction(repr(alpha))))


def least_rows(alpha: float) -> int:
    """Least number of scores of which one can be a threshold: ceil(1 / alpha) - 1."""
    return math.ceil(1 / Fraction(repr(alpha))) - 1


def rate_interval(alpha_of_rank: float, n_effective: float) -> Interval:
    """Central 95 % of the true rate of a threshold estimated from n rows: Beta(n + 1 - k, k).

    The mean (n + 1 - k) / (n + 1) comes from the rank, the width from the effective rows.
    """
    weight = n_effective + 1
    law = stats.beta(alpha_of_rank * weight, (1 - alpha_of_rank) * weight)
    return float(law.ppf(_TAILS[0])), float(law.ppf(_TAILS[1]))


def clopper_pearson(share: float, rows: float) -> Interval:
    """95 % interval of a share seen on `rows` effective rows."""
    hits = share * rows
    low = stats.beta.ppf(_TAILS[0], hits, rows - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(_TAILS[1], hits + 1, rows - hits) if rows > hits else 1.0
    return float(low), float(high)


def rate_interval_of_rank(ordered: NDArray[np.float64], rank: int, n_effective: float) -> Interval:
    """95 % interval of the true rate of the ordered score of `rank`, from 1, as a threshold.

    Where more scores are equal to it, a row exceeds it less often than its rank says: the rate is
    then that of the scores above all of them, whose number is all that is known of it.
    """
    n = len(ordered)
    above = n - int(np.searchsorted(ordered, ordered[rank - 1], side="right"))
    if above < n - rank or (rank > 1 and ordered[rank - 2] == ordered[rank - 1]):
        return clopper_pearson(above / n, n_effective)
    return rate_interval((n + 1 - rank) / (n + 1), n_effective)


def quantile_interval(
    ordered: NDArray[np.float64], alpha: float, n_effective: float
) -> OpenInterval:
    """95 % interval of the (1 - alpha) quantile, as two of the ordered scores.

    The ranks are binomial on the effective rows and are then scaled to the number of all rows.
    None where the rows cannot bound it, as above with fewer than 300 rows at 1 %.
    """
    n, m = len(ordered), max(1, math.floor(n_effective))
    low = int(stats.binom.ppf(_TAILS[0], m, 1 - alpha))
    high = int(stats.binom.ppf(_TAILS[1], m, 1 - alpha)) + 1
    below = math.floor(low / (m + 1) * (n + 1))
    above = math.ceil(high / (m + 1) * (n + 1))
    return (
        float(ordered[below - 1]) if below >= 1 else None,
        float(ordered[above - 1]) if high <= m and above <= n else None,
    )


def with_value(interval: OpenInterval, value: float) -> OpenInterval:
    """The interval, widened as far as needed to contain `value`."""
    low, high = interval
    return None if low is None else min(low, value), None if high is None else max(high, value)
