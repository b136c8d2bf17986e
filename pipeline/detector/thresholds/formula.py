"""Common code of the methods without a guarantee: a threshold by a formula, with its interval.

Source of the bootstrap interval: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993,
chapter 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.detector.thresholds.coverage import Interval, least_rows, rate_interval
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError

Matrix = NDArray[np.float64]
Level = Callable[[Matrix], NDArray[np.float64]]
"""Samples of shape (samples, n) to one level each, shape (samples,)."""

_SAMPLES = 200
_MOST_ROWS = 1000  # of a sample; with more rows the interval narrows by the square root
_SEED = 20_170  # arbitrary; the same scores must give the same interval
_TAILS = (0.025, 0.975)

_LEAST_GAUSSIAN = 20


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


def estimated_by(
    level: Level,
    ordered: NDArray[np.float64],
    *,
    method: str,
    alpha: float,
    n_effective: float,
    warning: str,
) -> ThresholdEstimate:
    """The threshold that `level` computes from ascending scores, shape (n,).

    The rate is that of the scores themselves, whatever the formula promises; low confidence where
    its interval does not contain `alpha`, or with fewer rows than a conformal threshold needs.
    `warning` says in one sentence what the method lacks.
    """
    value = float(level(ordered[None])[0])
    n = len(ordered)
    # Half a row more, as Jeffreys: no threshold is certain never to be exceeded.
    crossed = (np.count_nonzero(ordered > value) + 0.5) / (n + 1)
    low, high = rate_interval(crossed, n_effective)
    note = (
        f"No guarantee: {warning} {crossed:.2%} of the {n:,} calibration rows exceed it, where "
        f"{alpha:.2%} was asked for; threshold.method: conformal guarantees the rate."
    )
    return ThresholdEstimate(
        value=value,
        method=method,
        alpha=alpha,
        n=n,
        n_effective=n_effective,
        interval=resampled_interval(ordered, level, n_effective=n_effective),
        rate_interval=(low, high),
        low_confidence=bool(n_effective < least_rows(alpha) or not low <= alpha <= high),
        note=note,
    )


def gaussian(
    level: Callable[[Matrix, float], NDArray[np.float64]],
    scores: NDArray[np.floating],
    *,
    method: str,
    alpha: float,
    n_effective: float,
    measured: str,
) -> ThresholdEstimate:
    """The threshold of a Gaussian rule: some centre plus z(alpha) times some spread of the scores.

    `level` computes it from samples and z; `measured` names centre and spread for the note.

    Raises:
        CalibrationError: fewer than 20 scores.
    """
    sigmas = float(stats.norm.isf(alpha))
    return estimated_by(
        lambda samples: level(samples, sigmas),
        ascending(scores, method=method, least=_LEAST_GAUSSIAN),
        method=method,
        alpha=alpha,
        n_effective=n_effective,
        warning=f"{measured} as if scores were Gaussian, which they are not; never a default.",
    )


def ascending(scores: NDArray[np.floating], *, method: str, least: int) -> NDArray[np.float64]:
    """The scores in ascending order.

    Raises:
        CalibrationError: fewer than `least`.
    """
    if len(scores) < least:
        msg = (
            f"{len(scores):,} calibration scores are too few for the method {method}: at least "
            f"{least:,} are needed. Provide more normal rows."
        )
        raise CalibrationError(msg)
    return np.sort(scores.astype(np.float64))
