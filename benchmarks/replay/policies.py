"""The usual ways to keep a threshold up to date: opponents, and nothing that Plimsoll uses.

All get what Plimsoll gets: the same network, scores, first threshold and days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Timeline, subset
from pipeline.detector.thresholds import conformal
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.rate import log_score

Scores = NDArray[np.float64]

SIGMAS = 3.0
_MAD_TO_SIGMA = 1.4826  # of normally distributed values


@dataclass(frozen=True)
class PolicyThreshold:
    """A threshold, and its 95 % interval where the policy has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Past:
    """The data of a policy: earlier rows, and its thresholds so far.

    Attributes:
        score: of the rows of its window, shape (n,).
        in_force: its own threshold at each of them, shape (n,).
        timeline: their times and entities.
        current: its own threshold until now.
        at_training: scores of the calibration rows of the first threshold.
        first: that threshold.
        alpha: share of normal rows that may lie above it.
    """

    score: Scores
    in_force: Scores
    timeline: Timeline
    current: PolicyThreshold
    at_training: Scores
    first: PolicyThreshold
    alpha: float


Estimator = Callable[[Past], PolicyThreshold]


@dataclass(frozen=True)
class Policy:
    """How one opponent estimates its threshold, how often, and on how many days.

    Attributes:
        estimate: the formula.
        daily: estimated every day instead of every month.
        window_days: days it looks back on; None: as many as Plimsoll.
    """

    estimate: Estimator
    daily: bool = False
    window_days: int | None = None


def fixed(past: Past) -> PolicyThreshold:
    """The first threshold, for ever."""
    return past.first


def on_everything(past: Past) -> PolicyThreshold:
    """The conformal quantile of all rows: faults count as normal."""
    return _conformal(past, np.ones(len(past.score), dtype=bool))


def on_unflagged(past: Past) -> PolicyThreshold:
    """The conformal quantile of the rows below the threshold: each estimate cuts the tail off."""
    return _conformal(past, past.score <= past.in_force)


def mean_and_sigma(past: Past) -> PolicyThreshold:
    """Mean plus three standard deviations of all rows."""
    return PolicyThreshold(float(past.score.mean() + SIGMAS * past.score.std()))


def median_and_mad(past: Past) -> PolicyThreshold:
    """Median plus k times the median absolute deviation.

    k is the one that gives the first threshold on the calibration rows of the training; with the
    customary 3 (of a normal distribution) a tenth of all rows would be flagged from the first day.
    """
    middle, spread = _median_mad(past.at_training)
    multiple = (past.first.value - middle) / spread
    middle, spread = _median_mad(past.score)
    return PolicyThreshold(middle + multiple * spread)


POLICIES: dict[str, Policy] = {
    "fixed threshold": Policy(fixed),
    "refit on everything": Policy(on_everything),
    "refit on unflagged rows": Policy(on_unflagged),
    "mean + 3 sigma": Policy(mean_and_sigma),
    "median + k MAD": Policy(median_and_mad),
    "rolling median + k MAD": Policy(median_and_mad, daily=True, window_days=7),
}


def _conformal(past: Past, kept: NDArray[np.bool_]) -> PolicyThreshold:
    score = past.score[kept]
    worth = effective_rows(log_score(score), subset(past.timeline, kept))
    return policy_threshold(conformal.estimate(score, alpha=past.alpha, n_effective=worth))


def policy_threshold(found: ThresholdEstimate) -> PolicyThreshold:
    """An estimated threshold as that of a policy."""
    return PolicyThreshold(found.value, *found.interval)


def _median_mad(score: Scores) -> tuple[float, float]:
    middle = float(np.median(score))
    return middle, _MAD_TO_SIGMA * float(np.median(np.abs(score - middle)))
