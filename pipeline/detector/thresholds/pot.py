"""Peaks over a threshold: a generalised Pareto law fitted to the highest scores.

For alphas that are too small for the number of rows. Fitted by probability-weighted moments, which
need no search and do not fail; at 1 % with 100 scores 1.5 % exceeded it, with 500 1.0 % (measured).
Source: Siffer et al., KDD 2017; Hosking & Wallis, Technometrics 1987 (the moments).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.coverage import quantile_interval, with_value
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.detector.thresholds.formula import Matrix, ascending, estimated_by

_LEAST_PEAKS = 10
_PLOTTING = 0.35  # Hosking & Wallis: plotting position (j - 0.35) / k of the j-th of k peaks
_NEARLY_EXPONENTIAL = 1e-6


def estimate(
    scores: NDArray[np.floating], *, alpha: float, n_effective: float, tail_quantile: float = 0.9
) -> ThresholdEstimate:
    """The level that the fitted tail exceeds with probability `alpha`.

    For an alpha beyond the tail it is the percentile itself.

    Raises:
        CalibrationError: fewer than 10 scores in the tail.
    """
    tail = 1 - tail_quantile
    least = math.ceil(round(_LEAST_PEAKS / tail, 6))
    ordered = ascending(scores, method="pot", least=least)
    fitted = estimated_by(
        partial(_level, alpha=alpha, tail=tail),
        ordered,
        method="pot",
        alpha=alpha,
        n_effective=n_effective,
        warning=f"a Pareto tail fitted above the {tail_quantile:.0%} quantile, and extrapolated.",
    )
    # A bootstrap trusts the fit, and held in 74 to 84 % of cases with heavy tails.
    held = with_value(quantile_interval(ordered, alpha, n_effective), fitted.value)
    return replace(fitted, interval=held)


def _level(samples: Matrix, *, alpha: float, tail: float) -> NDArray[np.float64]:
    if alpha >= tail:
        exact: NDArray[np.float64] = np.quantile(samples, 1 - alpha, axis=1)
        return exact
    start = np.quantile(samples, 1 - tail, axis=1)
    peaks = max(1, samples.shape[1] - 1 - math.floor((samples.shape[1] - 1) * (1 - tail)))
    over = np.sort(samples, axis=1)[:, -peaks:] - start[:, None]
    reach = math.log(tail / alpha)
    shape, scale = _moments(np.maximum(over, 0.0))
    bent = np.where(np.abs(shape) < _NEARLY_EXPONENTIAL, 1.0, shape)
    stretch = np.where(bent == shape, np.expm1(bent * reach) / bent, reach)
    level: NDArray[np.float64] = start + scale * stretch
    return level


def _moments(over: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape (positive: heavier than exponential) and scale of ascending excesses, each row."""
    peaks = over.shape[1]
    height = (np.arange(1, peaks + 1) - _PLOTTING) / peaks
    mean, weighted = over.mean(axis=1), (over * (1 - height)).mean(axis=1)
    apart = mean - 2 * weighted
    fitted = apart > 0  # else all excesses are equal, or there are none: exponential
    safe = np.where(fitted, apart, 1.0)
    return (
        np.where(fitted, 2 - mean / safe, 0.0),
        np.where(fitted, 2 * mean * weighted / safe, mean),
    )
