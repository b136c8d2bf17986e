"""How often the step alarm fires when nothing has happened: small months, heavy tails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Recalibration, Threshold
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.detector.thresholds.methods import THRESHOLDS
from pipeline.recalibration.bounds import moves, stops
from pipeline.recalibration.levels import Levels
from pipeline.recalibration.records import Anchor

_ROWS = 1000
_MONTHS = 2000
_SEED = 42


@dataclass(frozen=True)
class FalseStops:
    """Shares of the months without drift: moved over the limit, and stopped as a step."""

    months: int
    moved: float
    stopped: float


def false_stops() -> dict[str, FalseStops]:
    """By tail; each month has a threshold of its own 1,000 rows, compared with the month before."""
    rng = np.random.default_rng(_SEED)
    return {
        "log-normal tail": _counted(np.exp(0.8 * rng.standard_normal((_MONTHS, _ROWS)))),
        "Pareto tail of index 3": _counted(1 + rng.pareto(3, (_MONTHS, _ROWS))),
        "Pareto tail of index 1.5": _counted(1 + rng.pareto(1.5, (_MONTHS, _ROWS))),
    }


def _counted(scores: NDArray[np.float64]) -> FalseStops:
    config, day = Recalibration(), date(2014, 1, 1)
    level = Levels(np.ones(1), 1.0, 1.0)
    thresholds = [_estimate(month) for month in scores]
    moved = stopped = 0
    for before, after in pairwise(thresholds):
        anchor = Anchor(before.value, 1.0, day, moved=day)
        change = moves(after, before, anchor, level, day)
        names = {stop.name for stop in stops(change, after, before, anchor, day, config)}
        moved += abs(change.step) > config.maximum_step
        stopped += "step" in names
    n = len(thresholds) - 1
    return FalseStops(n, moved / n, stopped / n)


def _estimate(score: NDArray[np.float64]) -> ThresholdEstimate:
    return THRESHOLDS["conformal"](score, alpha=Threshold().alpha, n_effective=len(score))
