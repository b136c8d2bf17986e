"""A line between normal rows and labelled incidents, where it costs least.

It needs labels of the calibration block and gives up the promise of a rate for them. Rows of one
incident are alike, so how well the line is known depends on how many incidents there are.
Source: Elkan, "The foundations of cost-sensitive learning", IJCAI 2001; Youden, Cancer 1950.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.config.threshold import Threshold
from pipeline.detector.threshold_estimate import ThresholdEstimate
from pipeline.detector.thresholds.coverage import rate_interval
from pipeline.errors import CalibrationError

_COMFORTABLE = 20
_SAMPLES = 200
_SEED = 20_170  # of no meaning; the same scores must give the same interval
_MOST_LINES = 2000  # candidates for each sample's line; the line itself is found among all scores
_LEAST_NORMAL = 20
_TAILS = (0.025, 0.975)

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledScores:
    """Finite scores of the calibration block.

    Attributes:
        normal: of normal rows, shape (n,).
        faulty: of rows of known incidents, shape (m,).
        incident: which incident each faulty row belongs to, 0 and up, shape (m,).
    """

    normal: NDArray[np.floating]
    faulty: NDArray[np.floating]
    incident: NDArray[np.intp]


@dataclass(frozen=True)
class _Table:
    """Rows above each of c candidates, ascending: of n normal ones, and of each incident."""

    line: Counts
    false_alarms: Counts
    n_normal: int
    caught: Counts
    rows: Counts


def estimate_from_labels(
    scores: LabelledScores, config: Threshold, *, n_effective: float
) -> ThresholdEstimate:
    """The line that `config.objective` likes best; of equals the highest.

    `alpha` of the answer is the share of normal rows that it lets cross, which is what the rate is
    watched against from then on; `config.alpha` plays no part.

    Raises:
        CalibrationError: too few incidents or normal rows.
    """
    incidents = len(np.unique(scores.incident))
    _refuse_few(incidents, len(scores.normal), config)
    lines = np.unique(np.concatenate([scores.normal, scores.faulty]).astype(np.float64))
    together = replace(scores, incident=np.zeros_like(scores.incident))
    value = float(_best(_tabulated(together, lines), np.ones((1, 1)), config)[0])
    low, high = _interval(scores, _thinned(lines, value), incidents, config)
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
            f"No guarantee: drawn between {len(scores.normal):,} normal rows and {incidents} "
            f"labelled incidents ({_told(config)}); {rate:.2%} of normal rows cross it. These "
            "incidents cannot show any more whether it catches incidents."
        ),
    )


def _refuse_few(incidents: int, normal: int, config: Threshold) -> None:
    if incidents < config.minimum_incidents or normal < _LEAST_NORMAL:
        msg = (
            f"{incidents:,} labelled incidents and {normal:,} normal rows in the calibration block "
            f"draw no cost-weighted line: at least {config.minimum_incidents:,} and "
            f"{_LEAST_NORMAL} are needed. Label more incidents, lengthen split.training_days, or "
            "set threshold.method: conformal, which needs no labels."
        )
        raise CalibrationError(msg)


def _interval(
    scores: LabelledScores, lines: Counts, incidents: int, config: Threshold
) -> tuple[float, float]:
    """Central 95 % of the best line over other samples of as many incidents, each taken whole."""
    draws = np.random.default_rng(_SEED).multinomial(
        incidents, np.full(incidents, 1 / incidents), size=_SAMPLES
    )
    found = _best(_tabulated(scores, lines), draws.astype(np.float64), config)
    low, high = np.quantile(found, _TAILS)
    return float(low), float(high)


def _thinned(lines: Counts, value: float) -> Counts:
    """Lines spread evenly over all; `value` is one of them."""
    places = np.linspace(0, len(lines) - 1, min(_MOST_LINES, len(lines))).round().astype(np.intp)
    return np.unique(np.append(lines[places], value))


def _tabulated(scores: LabelledScores, lines: Counts) -> _Table:
    normal, faulty = scores.normal.astype(np.float64), scores.faulty.astype(np.float64)
    _, which = np.unique(scores.incident, return_inverse=True)
    caught = np.stack([_above(faulty[which == each], lines) for each in range(which.max() + 1)])
    rows = np.bincount(which).astype(np.float64)
    return _Table(lines, _above(normal, lines), len(normal), caught, rows)


def _above(scores: Counts, line: Counts) -> Counts:
    return (len(scores) - np.searchsorted(np.sort(scores), line, side="right")).astype(np.float64)


def _best(table: _Table, weight: Counts, config: Threshold) -> Counts:
    """The best line for each weighting of the incidents, (samples, incidents) -> (samples,).

    Of equally good ones the highest: the one with the fewest alarms.
    """
    caught, rows = weight @ table.caught, (weight @ table.rows)[:, None]
    alarms = table.false_alarms[None]
    if config.objective == "f1":
        worth = 2 * caught / (rows + caught + alarms)
    elif config.objective == "youden":
        worth = caught / rows - alarms / table.n_normal
    else:
        worth = -(config.miss_cost * (rows - caught) + alarms)
    best = worth.shape[1] - 1 - np.argmax(worth[:, ::-1], axis=1)
    found: Counts = table.line[best]
    return found


def _told(config: Threshold) -> str:
    if config.objective == "cost":
        return f"a missed row counts as {config.miss_cost:g} false alarms"
    return {"f1": "best F1", "youden": "best Youden's J"}[config.objective]
