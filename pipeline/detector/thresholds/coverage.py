"""Uncertainty of a threshold from held-out scores: distribution-free laws of order statistics.

Source: Vovk, "Conditional validity of inductive conformal predictors", ACML 2012; David & Nagaraja,
"Order Statistics", 2003, section 7.1.
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
