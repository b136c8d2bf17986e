"""Ways to draw a threshold, by the name that `threshold.method` gives."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.drawn import DrawnThreshold
from pipeline.detector.thresholds import conformal, hill


class DrawThreshold(Protocol):
    """Finite held-out normal scores to the line that a share of `alpha` of them may cross."""

    def __call__(
        self, scores: NDArray[np.floating], *, alpha: float, n_effective: float
    ) -> DrawnThreshold:
        """Draw it, or raise CalibrationError when these scores are too few for the method."""


THRESHOLDS: dict[str, DrawThreshold] = {"conformal": conformal.draw, "hill": hill.draw}

__all__ = ["THRESHOLDS", "DrawThreshold"]
