"""A fitted tail for too few scores: the logarithm of a high score is modelled as exponential.

Measured on 38 data sets with 30-1000 scores: false alarms of 1.8 % instead of 1 % at 50 scores,
where the sample's 99th percentile gives 2.6 % and median + 3 MAD 14 %. No guarantee: where
neighbours correlate by 0.9 it was 10.5 %, and 0.02 % where the tail ends. So its intervals do not
assume that the fit is right: they are those of the scores above it, and of ordered scores.
Source: Hill, Annals of Statistics 1975; Weissman, JASA 1978.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.coverage import clopper_pearson, quantile_interval, with_value
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError

LEAST = 20


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
    value = start * math.exp(slope * reach)
    # The fit may be wrong in either direction, so the rate is that of the scores themselves.
    crossed = np.count_nonzero(exact > value) / n
    return ThresholdEstimate(
        value=value,
        method="hill",
        alpha=alpha,
        n=n,
        n_effective=n_effective,
        interval=with_value(quantile_interval(exact, alpha, n_effective), value),
        rate_interval=clopper_pearson(crossed, n_effective),
        low_confidence=True,
        note=(
            f"Low confidence: extrapolated from {n:,} calibration rows worth {n_effective:,.0f} "
            f"independent ones, {crossed:.2%} of which exceed it. The true rate may lie anywhere "
            "in its interval: calibrate again when there are more rows."
        ),
    )
