"""A fitted tail for too few scores: the logarithm of a high score is modelled as exponential.

Measured on 38 data sets with 30-1000 scores: false alarms of 1.8 % instead of 1 % at 50 scores,
where the sample's 99th percentile gives 2.6 % and median + 3 MAD 14 %. No guarantee.
Source: Hill, Annals of Statistics 1975; Weissman, JASA 1978.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.detector.thresholds.coverage import rate_interval
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError

LEAST = 20
_TAILS = (0.025, 0.975)


def estimate(
    scores: NDArray[np.floating], *, alpha: float, n_effective: float, tail_quantile: float = 0.9
) -> ThresholdEstimate:
    """The threshold u (tail / alpha)^h: u is the tail's quantile, h the mean log excess over it.

    Always marked low-confidence. For an alpha beyond the tail it is the percentile itself.

    Raises:
        CalibrationError: fewer than 20 scores, or a quantile that is not positive.
    """
    n = len(scores)
    exact = np.sort(scores.astype(np.float64))
    tail = max(1 - tail_quantile, alpha)
    start = float(np.quantile(exact, 1 - tail)) if n else 0.0
    if n < LEAST or start <= 0:
        msg = (
            f"{n:,} calibration scores whose tail begins at {start:.3g} give no tail to fit: at "
            f"least {LEAST} scores and a positive beginning are needed. Provide more normal rows."
        )
        raise CalibrationError(msg)
    over = exact[exact > start]
    slope = float(np.mean(np.log(over / start))) if len(over) else 0.0
    reach = math.log(tail / alpha)
    # Fewer exceedances than scores are independent, in the same proportion.
    effective = max(1.0, len(over) * min(1.0, n_effective / n))
    # 2 k h_hat / h follows chi-square with 2 k degrees of freedom.
    ends = (
        2 * effective / float(stats.chi2.ppf(share, 2 * effective)) for share in reversed(_TAILS)
    )
    low, high = (start * math.exp(min(slope * end * reach, 600.0)) for end in ends)
    return ThresholdEstimate(
        value=start * math.exp(slope * reach),
        method="hill",
        alpha=alpha,
        n=n,
        n_effective=n_effective,
        interval=(low, high),
        rate_interval=rate_interval(alpha, n_effective),
        low_confidence=True,
        note=(
            f"Low confidence: extrapolated from {n:,} calibration rows worth {n_effective:,.0f} "
            "independent ones. Expect up to twice the false alarms asked for, and calibrate "
            "again when there are more rows."
        ),
    )
