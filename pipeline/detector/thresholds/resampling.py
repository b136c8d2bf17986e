"""Bootstrap interval of a threshold that a formula computes from scores.

Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.coverage import Interval

Matrix = NDArray[np.float64]
Level = Callable[[Matrix], NDArray[np.float64]]
"""Samples of shape (samples, n) to one level each, shape (samples,)."""

_SAMPLES = 200
_MOST_ROWS = 1000  # of a sample; with more rows the interval narrows by the square root
_SEED = 20_170  # arbitrary; the same scores must give the same interval
_TAILS = (0.025, 0.975)


def resampled_interval(
    ordered: NDArray[np.float64], level: Level, *, n_effective: float
) -> Interval:
    """Central 95 % of `level` over samples of as many rows as `ordered` has effective ones."""
    effective = max(2.0, min(n_effective, len(ordered)))
    rows = min(math.floor(effective), _MOST_ROWS)
    places = np.random.default_rng(_SEED).integers(len(ordered), size=(_SAMPLES, rows))
    centre = float(level(ordered[None])[0])
    low, high = np.quantile(level(ordered[places]), _TAILS) - centre
    narrower = math.sqrt(rows / effective)
    return centre + min(0.0, float(low)) * narrower, centre + max(0.0, float(high)) * narrower
