"""The usual ways to keep a threshold up to date: opponents, and nothing that Plimsoll uses.

All get what Plimsoll gets: the same network, the same scores, the same first line, the same days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline, effective_rows, subset
from pipeline.detector.threshold_estimate import ThresholdEstimate
from pipeline.detector.thresholds import conformal
from pipeline.evaluation.rate import log_score

Scores = NDArray[np.float64]

SIGMAS = 3.0
_MAD_TO_SIGMA = 1.4826  # of normally distributed values


@dataclass(frozen=True)
class Line:
    """A threshold, and its 95 % interval where the policy has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Past:
    """What a policy may look at when it redraws: rows of before, and the lines so far.

    Attributes:
        score: of the rows of its window, shape (n,).
        in_force: its own line at each of them, shape (n,).
        line: when and where they were measured.
        current: its own line until now.
        at_training: scores of the calibration rows that the first line was drawn on.
        first: that line.
        alpha: share of normal rows that may cross.
    """

    score: Scores
    in_force: Scores
    timeline: Timeline
    current: Line
    at_training: Scores
    first: Line
    alpha: float


Redraw = Callable[[Past], Line]


@dataclass(frozen=True)
class Policy:
    """How one opponent redraws its line, how often, and on how many days.

    Attributes:
        redraw: the formula.
        daily: redrawn every day instead of every month.
        window_days: days it looks back on; None: as many as Plimsoll.
    """

    redraw: Redraw
    daily: bool = False
    window_days: int | None = None


def fixed(past: Past) -> Line:
    """The first line, for ever."""
    return past.first


def on_everything(past: Past) -> Line:
    """The conformal quantile of all rows: the faults are learnt as normal."""
    return _conformal(past, np.ones(len(past.score), dtype=bool))


def on_unflagged(past: Past) -> Line:
    """The conformal quantile of the rows below the line: each redraw cuts the tail off again."""
    return _conformal(past, past.score <= past.in_force)


def mean_and_sigma(past: Past) -> Line:
    """Mean plus three standard deviations of all rows."""
    return Line(float(past.score.mean() + SIGMAS * past.score.std()))


def median_and_mad(past: Past) -> Line:
    """Median plus k times the median absolute deviation.

    k is the one that gives the first line on the calibration rows of the training; with the
    customary 3 (of a normal distribution) a tenth of all rows would be flagged from the first day.
    """
    middle, spread = _median_mad(past.at_training)
    multiple = (past.first.value - middle) / spread
    middle, spread = _median_mad(past.score)
    return Line(middle + multiple * spread)


POLICIES: dict[str, Policy] = {
    "fixed threshold": Policy(fixed),
    "refit on everything": Policy(on_everything),
    "refit on unflagged rows": Policy(on_unflagged),
    "mean + 3 sigma": Policy(mean_and_sigma),
    "median + k MAD": Policy(median_and_mad),
    "rolling median + k MAD": Policy(median_and_mad, daily=True, window_days=7),
}


def _conformal(past: Past, kept: NDArray[np.bool_]) -> Line:
    score = past.score[kept]
    worth = effective_rows(log_score(score), subset(past.timeline, kept))
    return line_of(conformal.estimate(score, alpha=past.alpha, n_effective=worth))


def line_of(drawn: ThresholdEstimate) -> Line:
    """A drawn threshold as a line."""
    return Line(drawn.value, *drawn.interval)


def _median_mad(score: Scores) -> tuple[float, float]:
    middle = float(np.median(score))
    return middle, _MAD_TO_SIGMA * float(np.median(np.abs(score - middle)))
