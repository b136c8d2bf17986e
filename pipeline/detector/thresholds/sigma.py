"""Mean plus multiples of the standard deviation: the three-sigma rule, for comparison.

The multiple is the Gaussian one for alpha: 2.33 at 1 %, 3 at 0.13 %. Scores are skewed: with three
sigma 2.2 % of normal rows exceeded it instead of the 0.13 % that it promises, 14 % on the worst of
38 data sets. Never a default.
Source: Shewhart, "Economic Control of Quality of Manufactured Product", 1931.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.detector.thresholds.formula import Matrix, gaussian


def estimate(
    scores: NDArray[np.floating], *, alpha: float, n_effective: float
) -> ThresholdEstimate:
    """Mean + z(alpha) standard deviations of finite `scores`, shape (n,).

    Raises:
        CalibrationError: fewer than 20 scores.
    """
    return gaussian(
        _level,
        scores,
        method="sigma",
        alpha=alpha,
        n_effective=n_effective,
        measured="mean and sigma",
    )


def _level(samples: Matrix, sigmas: float) -> NDArray[np.float64]:
    level: NDArray[np.float64] = samples.mean(axis=1) + sigmas * samples.std(axis=1)
    return level
