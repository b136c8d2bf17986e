"""Methods to estimate a threshold, by the name that `threshold.method` gives.

`cost_weighted` is not in THRESHOLDS: it needs labels, see `cost_weighted.estimate_from_labels`.
"""

from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config.calibration import Threshold
from pipeline.detector.thresholds import conformal, hill, mad, percentile, pot, sigma
from pipeline.detector.thresholds.estimate import ThresholdEstimate


class ThresholdMethod(Protocol):
    """From finite held-out normal scores to the threshold that a share of `alpha` may exceed."""

    def __call__(
        self, scores: NDArray[np.floating], *, alpha: float, n_effective: float
    ) -> ThresholdEstimate:
        """Estimate it, or raise CalibrationError when there are too few scores for the method."""


THRESHOLDS: dict[str, ThresholdMethod] = {
    "conformal": conformal.estimate,
    "percentile": percentile.estimate,
    "hill": hill.estimate,
    "pot": pot.estimate,
    "mad": mad.estimate,
    "sigma": sigma.estimate,
}

_TAILED = {"hill": hill.estimate, "pot": pot.estimate}


def method_of(config: Threshold) -> ThresholdMethod:
    """The configured method with its own settings."""
    if config.method in _TAILED:
        return partial(_TAILED[config.method], tail_quantile=config.tail_quantile)
    return THRESHOLDS[config.method]


__all__ = ["THRESHOLDS", "ThresholdMethod", "method_of"]
