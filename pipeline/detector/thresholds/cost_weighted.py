"""The threshold between normal rows and labelled incidents that costs least.

It needs labels in the calibration block and has no guarantee of the rate. Rows of one incident are
alike, so the interval of the threshold depends on the number of incidents.
Source: Elkan, "The foundations of cost-sensitive learning", IJCAI 2001; Youden, Cancer 1950.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.config.calibration import Threshold
from pipeline.detector.thresholds.coverage import rate_interval
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError

_COMFORTABLE = 20
_SAMPLES = 200
_SEED = 20_170  # arbitrary; the same scores must give the same interval
_MOST_CANDIDATES = 2000  # of a resample; the threshold itself is found among all scores
_LEAST_NORMAL = 20
_TAILS = (0.025, 0.975)

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledScores:
    """Finite scores of the calibration block.

    Attributes:
        normal: of normal rows, shape (n,).
        faulty: of rows of known incidents, shape (m,).
        incident: number of the incident of each faulty row, from 0, shape (m,).
    """

    normal: NDArray[np.floating]
    faulty: NDArray[np.floating]
    incident: NDArray[np.intp]


@dataclass(frozen=True)
class _Table:
    """Rows above each of c ascending candidates: of n normal rows, and of each incident."""

    candidates: Counts
    false_alarms: Counts
    n_normal: int
    caught: Counts
    rows: Counts


def estimate_from_labels(
    scores: LabelledScores, config: Threshold, *, n_effective: float
) -> ThresholdEstimate:
    """The threshold that is best by `config.objective`; of equals the highest.

    `alpha` of the estimate is the share of normal rows above it, which the rate is monitored
    against from then on; `config.alpha` is not used.

    Raises:
        CalibrationError: too few incidents or normal rows.
    """
    incidents = len(np.unique(scores.incident))
    _refuse_few(incidents, len(scores.normal), config)
    candidates = np.unique(np.concatenate([scores.normal, scores.faulty]).astype(np.float64))
    together = replace(scores, incident=np.zeros_like(scores.incident))
    value = float(_best(_tabulated(together, candidates), np.ones((1, 1)), config)[0])
    low, high = _interval(scores, _thinned(candidates, value), incidents, config)
    rate = (float((scores.normal > value).sum()) + 1) / (len(scores.normal) + 1)
    return ThresholdEstimate(
        value=value,
        method="cost_weighted",
        alpha=rate,
        n=len(scores.normal),
        n_effective=n_effective,
        interval=(min(low, value), max(high, value)),
        rate_interval=rate_interval(rate, n_effective),
        low_confidence=incidents < _COMFORTABLE,
        note=(
            f"No guarantee: estimated from {len(scores.normal):,} normal rows and {incidents} "
            f"labelled incidents ({_objective(config)}); {rate:.2%} of normal rows exceed it. "
            "These incidents can no longer be used to test whether it catches incidents."
        ),
    )


def _refuse_few(incidents: int, normal: int, config: Threshold) -> None:
    if incidents < config.minimum_incidents or normal < _LEAST_NORMAL:
        msg = (
            f"{incidents:,} labelled incidents and {normal:,} normal rows in the calibration block "
            f"are too few for cost_weighted: at least {config.minimum_incidents:,} and "
            f"{_LEAST_NORMAL} are needed. Label more incidents, lengthen split.training_days, or "
            "set threshold.method: conformal, which needs no labels."
        )
        raise CalibrationError(msg)


def _interval(
    scores: LabelledScores, candidates: Counts, incidents: int, config: Threshold
) -> tuple[float, float]:
    """Central 95 % of the best threshold over bootstrap samples of whole incidents."""
    samples = np.random.default_rng(_SEED).multinomial(
        incidents, np.full(incidents, 1 / incidents), size=_SAMPLES
    )
    found = _best(_tabulated(scores, candidates), samples.astype(np.float64), config)
    low, high = np.quantile(found, _TAILS)
    return float(low), float(high)


def _thinned(candidates: Counts, value: float) -> Counts:
    """An evenly spread selection of the candidates; `value` is one of them."""
    most = min(_MOST_CANDIDATES, len(candidates))
    places = np.linspace(0, len(candidates) - 1, most).round().astype(np.intp)
    return np.unique(np.append(candidates[places], value))


def _tabulated(scores: LabelledScores, candidates: Counts) -> _Table:
    normal, faulty = scores.normal.astype(np.float64), scores.faulty.astype(np.float64)
    _, which = np.unique(scores.incident, return_inverse=True)
    caught = np.stack(
        [_above(faulty[which == each], candidates) for each in range(which.max() + 1)]
    )
    rows = np.bincount(which).astype(np.float64)
    return _Table(candidates, _above(normal, candidates), len(normal), caught, rows)


def _above(scores: Counts, candidates: Counts) -> Counts:
    at_most = np.searchsorted(np.sort(scores), candidates, side="right")
    return (len(scores) - at_most).astype(np.float64)


def _best(table: _Table, weight: Counts, config: Threshold) -> Counts:
    """The best candidate for each weighting of the incidents, (samples, incidents) -> (samples,).

    Of equally good ones the highest, which raises the fewest alarms.
    """
    caught, rows = weight @ table.caught, (weight @ table.rows)[:, None]
    alarms = table.false_alarms[None]
    if config.objective == "f1":
        objective = 2 * caught / (rows + caught + alarms)
    elif config.objective == "youden":
        objective = caught / rows - alarms / table.n_normal
    else:
        objective = -(config.miss_cost * (rows - caught) + alarms)
    best = objective.shape[1] - 1 - np.argmax(objective[:, ::-1], axis=1)
    found: Counts = table.candidates[best]
    return found


def _objective(config: Threshold) -> str:
    if config.objective == "cost":
        return f"a missed row counts as {config.miss_cost:g} false alarms"
    return {"f1": "best F1", "youden": "best Youden's J"}[config.objective]
