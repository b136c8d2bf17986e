"""The scale and the range of each feature in training.

Features are scaled to standard deviations from their normal mean, whatever their units; the range
is that by which a moved sensor is recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.inputs.scored import Rows

FAR = 50.0
"""Scaled values are clipped here: a lower limit costs precision, none lets one cell rule a mean."""

_LEAST_OF_RANGE = 0.02
_LEAST_OF_LEVEL = 1e-4
_OF_A_ZERO = 0.1


_EDGES = (0.001, 0.999)
"""A context feature is clipped to these quantiles of its training values."""

_RANGE_EDGES = (0.001, 0.999)  # one extreme training row does not widen a range


@dataclass(frozen=True)
class Scaler:
    """The scaling of each feature: z = (x - mean) / scale, clipped to [lowest, highest]."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


def fit_scaler(rows: Rows, judged: Sequence[bool]) -> Scaler:
    """The scaler of training rows of shape (n, d); `judged` is false for context.

    Values are finite or missing (NaN); each feature needs at least one that is not missing.

    A context feature (a season's temperature) is clipped to its range in training: beyond it the
    network would extrapolate, and blame the features that are judged.

    A feature that hardly moves would have its noise amplified, so its spread has a floor. Each
    floor comes from the feature itself, never from other features: changing one feature's unit
    changes no score. It is the largest of

    - 2 % of its range (a spike among zeros is rare, not infinitely far),
    - 0.01 % of its level (a constant 5.0 that becomes 5.1 is far out, yet finite),
    - 0.1 for a feature that was exactly zero, whose unit is unknown.
    """
    exact = rows.astype(np.float64)
    mean = np.nanmean(exact, axis=0)
    lowest, highest = np.nanmin(exact, axis=0), np.nanmax(exact, axis=0)
    level = np.maximum(np.abs(lowest), np.abs(highest))
    scale = np.maximum.reduce(
        [np.nanstd(exact, axis=0), _LEAST_OF_RANGE * (highest - lowest), _LEAST_OF_LEVEL * level]
    )
    scale = np.where(level == 0, _OF_A_ZERO, scale)
    # Below float32's smallest normal number the division would be infinite.
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    edges = np.where(judged, [[-FAR], [FAR]], (_quantiles(exact) - mean) / scale)
    return Scaler(*(tuple(values.tolist()) for values in (mean, scale, *edges)))


def _quantiles(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both edges of each column, shape (2, d); ignoring NaN is slow, and rarely needed."""
    if np.isnan(exact).any():
        found: NDArray[np.float64] = np.nanquantile(exact, _EDGES, axis=0)
        return found
    return np.quantile(exact, _EDGES, axis=0)


@dataclass(frozen=True)
class Ranges:
    """The range of each feature in training, in the units of the data.

    Attributes:
        lowest: the 0.1 % quantile of each feature.
        highest: the 99.9 % quantile.
    """

    lowest: tuple[float, ...]
    highest: tuple[float, ...]


def ranges_of(rows: Rows) -> Ranges:
    """The ranges of normal rows of shape (n, d); missing values (NaN) are ignored."""
    exact = rows.astype(np.float64)
    quantile = np.nanquantile if np.isnan(exact).any() else np.quantile
    lowest, highest = quantile(exact, _RANGE_EDGES, axis=0)
    return Ranges(tuple(lowest.tolist()), tuple(highest.tolist()))
