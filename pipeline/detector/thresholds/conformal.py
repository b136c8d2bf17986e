"""An order statistic of held-out normal scores: the only rule with a guarantee.

A new normal score, exchangeable with the n calibration scores, exceeds the one of rank
ceil((n + 1)(1 - alpha)) with probability at most alpha, whatever their distribution.
Source: Papadopoulos et al., ECML 2002; Angelopoulos & Bates, Foundations and Trends in ML 2023.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.coverage import (
    conformal_rank,
    least_rows,
    quantile_interval,
    rate_interval_of_rank,
)
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError

_COMFORTABLE = 1000


def estimate(
    scores: NDArray[np.floating], *, alpha: float, n_effective: float
) -> ThresholdEstimate:
    """The conformal threshold of finite `scores`, shape (n,).

    Raises:
        CalibrationError: too few scores, so that no order statistic is high enough.
    """
    n, least = len(scores), least_rows(alpha)
    if n < least:
        msg = (
            f"{n:,} calibration scores cannot bound a rate of {alpha:g}: at least {least:,} are "
            "needed. Provide more normal rows, raise threshold.alpha, or set "
            "threshold.small_sample: hill for a low-confidence threshold."
        )
        raise CalibrationError(msg)
    ordered = np.sort(scores.astype(np.float64))
    rank = conformal_rank(n, alpha)
    return ThresholdEstimate(
        value=float(ordered[rank - 1]),
        method="conformal",
        alpha=alpha,
        n=n,
        n_effective=n_effective,
        interval=quantile_interval(ordered, alpha, n_effective),
        rate_interval=rate_interval_of_rank(ordered, rank, n_effective),
        low_confidence=n_effective < least,
        note=_note(n, n_effective),
    )


def _note(n: int, n_effective: float) -> str:
    if n_effective >= _COMFORTABLE:
        return ""
    return (
        f"Estimated from {n:,} calibration rows worth {n_effective:,.0f} independent ones; with "
        f"fewer than {_COMFORTABLE:,} the true rate may lie well off: see its interval."
    )
