"""A conformal threshold on weighted rows.

With all weights 1 it is the order statistic of `pipeline.detector.thresholds.conformal`: the
smallest score above which at most alpha (W + 1) - 1 of the total weight W lies.
Source: Tibshirani et al., "Conformal prediction under covariate shift", NeurIPS 2019.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.config.calibration import Threshold
from pipeline.detector.thresholds import hill
from pipeline.detector.thresholds.coverage import least_rows, rate_interval
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.detector.thresholds.methods import method_of
from pipeline.errors import CalibrationError

_TAILS = (0.025, 0.975)
_UPPER = 3  # times alpha: the share of the scores that is sorted
_ROUNDING = 1e-9  # error of a sum of weights that should be a whole number
_COMFORTABLE = 1000
_LIKELY = 0.5  # hill takes no weights: it uses rows that are more likely normal than not

Vector = NDArray[np.float64]


def weighted_quantile(score: Vector, weight: Vector, allowed: float) -> float:
    """The smallest score with at most `allowed` weight above it; every weight is above 0."""
    upper = np.flatnonzero(score >= np.quantile(score, max(0.0, 1 - _UPPER * allowed / len(score))))
    if weight[upper].sum() <= allowed:
        upper = np.arange(len(score))
    descending = upper[np.argsort(-score[upper], kind="stable")]
    above = np.cumsum(weight[descending]) - weight[descending]
    return float(score[descending[np.searchsorted(above, allowed + _ROUNDING, side="right") - 1]])


def allowed_weight(weight: Vector, alpha: float) -> float:
    """Weight that may lie above a threshold for `alpha`; negative when no row is high enough."""
    return float(alpha * (weight.sum() + 1) - 1 + _ROUNDING)


def threshold_value(score: Vector, weight: Vector, alpha: float) -> float:
    """The threshold alone; weights may be 0. Infinite when the total weight is too small."""
    kept = weight > 0
    allowed = allowed_weight(weight, alpha)
    return math.inf if allowed < 0 else weighted_quantile(score[kept], weight[kept], allowed)


def estimate_weighted(
    score: Vector, weight: Vector, config: Threshold, *, n_effective: float
) -> ThresholdEstimate:
    """The threshold of finite scores with weights above 0, shapes (n,); `n_effective` rows.

    Raises:
        CalibrationError: too few rows, and no small-sample rule allowed.
    """
    _refuse_labelled(config)
    total, least = float(weight.sum()), max(config.minimum_rows, least_rows(config.alpha))
    if config.method == "hill" or (total < least and config.small_sample == "hill"):
        return hill.estimate(
            score[weight > _LIKELY],
            alpha=config.alpha,
            n_effective=n_effective,
            tail_quantile=config.tail_quantile,
        )
    if total < least:
        msg = (
            f"{total:,.0f} rows of the window count as normal, too few for an alpha of "
            f"{config.alpha:g}: at least {least:,} are needed. Widen recalibration.window_days, "
            "score more days, or set threshold.small_sample: hill for a low-confidence "
            "threshold."
        )
        raise CalibrationError(msg)
    if config.method != "conformal":
        alike = unweighted(score, weight)
        return method_of(config)(alike, alpha=config.alpha, n_effective=n_effective)
    allowed = allowed_weight(weight, config.alpha)
    return ThresholdEstimate(
        value=weighted_quantile(score, weight, allowed),
        method="conformal",
        alpha=config.alpha,
        n=len(score),
        n_effective=n_effective,
        interval=_interval(score, weight, config.alpha, n_effective),
        rate_interval=rate_interval((allowed + 1) / (total + 1), n_effective),
        low_confidence=bool(n_effective < least_rows(config.alpha)),
        note="" if n_effective >= _COMFORTABLE else _note(total, n_effective),
    )


def unweighted(score: Vector, weight: Vector) -> Vector:
    """Unweighted scores with the distribution of the weighted ones: one for each unit of weight.

    Systematic resampling: of the ordered scores, one is selected at equal steps of weight, without
    random numbers. For the methods that take no weights.
    """
    order = np.argsort(score, kind="stable")
    reach = np.cumsum(weight[order])
    wanted = max(1, round(float(reach[-1])))
    places = (np.arange(wanted) + 0.5) * (reach[-1] / wanted)
    selected: Vector = score[order[np.searchsorted(reach, places)]]
    return selected


def _refuse_labelled(config: Threshold) -> None:
    if config.method == "cost_weighted":
        msg = (
            "threshold.method cost_weighted needs labelled incidents, and a recalibration leaves "
            "incidents out of its window: train again for a new threshold, or set "
            "threshold.method to conformal, which can be recalibrated every month."
        )
        raise CalibrationError(msg)


def _interval(
    score: Vector, weight: Vector, alpha: float, n_effective: float
) -> tuple[float | None, float | None]:
    """95 % interval of the (1 - alpha) quantile: binomial ranks on the effective rows."""
    total, m = float(weight.sum()), max(1, math.floor(n_effective))
    low = int(stats.binom.ppf(_TAILS[0], m, 1 - alpha))
    high = int(stats.binom.ppf(_TAILS[1], m, 1 - alpha)) + 1
    ends = [(1 - rank / (m + 1)) * (total + 1) - 1 for rank in (low, high)]
    return (
        weighted_quantile(score, weight, max(0.0, ends[0])) if low >= 1 else None,
        weighted_quantile(score, weight, ends[1]) if high <= m and ends[1] >= 0 else None,
    )


def _note(total: float, n_effective: float) -> str:
    return (
        f"Estimated from {total:,.0f} rows of the window worth {n_effective:,.0f} independent "
        f"ones; with fewer than {_COMFORTABLE:,} the true rate may lie well off: see its interval."
    )
