"""The distance in rows at which two rows are nearly independent.

The correlation with the next row is not enough: ten-minute rows of a turbine correlate by 0.84,
which alone would make eleven rows one, but six hours later they still correlate by 0.37 and a day
later by 0.11, because gusts ride on weather. So several lags are measured, each for the first-order
wave that would explain it, and the slowest significant wave decides. Waves of the first order get
the same answer from every lag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import (
    FEWEST_PAIRS,
    HIGHEST,
    Timeline,
    correlation,
    runs,
    thinning_step,
)

_LAGS = (1, 2, 4, 8, 16, 32, 64)  # rows; a bundle's reference holds stretches of a hundred
_SURE = 3.0  # standard errors: the largest of seven decides, so each needs more than the usual two


@dataclass(frozen=True)
class Wave:
    """The slowest wave in a series, as one of the first order.

    Attributes:
        rho: correlation of a row with the next one, in [0, 0.999].
    """

    rho: float

    @property
    def step(self) -> int:
        """Keep one row in this many, and what is left is nearly independent."""
        return thinning_step(self.rho)

    @property
    def worth(self) -> float:
        """Effective rows in one of the rows that are left: neighbours still correlate by rho^step.

        Without it 3 % of quiet families warn at rho 0.9, where 1 % should.
        """
        left = self.rho**self.step
        return (1 - left) / (1 + left)


def slowest_wave(values: NDArray[np.floating], timeline: Timeline) -> Wave:
    """The wave of the first order that explains the slowest correlation at any lag."""
    order, run = runs(timeline)
    in_order = values[order].astype(np.float64)
    wave = Wave(0.0)
    for lag in _LAGS:
        together = np.flatnonzero(run[lag:] == run[:-lag]) if lag < len(run) else run[:0]
        if len(together) < FEWEST_PAIRS:
            break
        likeness = correlation(in_order, together, together + lag)
        # Bartlett: a correlation scatters with the rows that are independent, not with all.
        if likeness < _SURE * math.sqrt(wave.step / len(together)):
            break
        wave = Wave(max(wave.rho, min(likeness ** (1 / lag), HIGHEST)))
    return wave
