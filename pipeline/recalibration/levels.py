"""The level of each month of the window, so that months can be pooled while scores grow.

The 99th percentile of one month of correlated scores is imprecise (20,000 rows with rho = 0.9: the
rate is off by a sixth), its median is not. So the *shape* of the distribution comes from the whole
window and the *level* from the newest month: each row is multiplied by the ratio of the newest
level to that of its month. The one assumption: when scores grow, they grow by one factor, body and
tail alike. Where they do not, set `recalibration.align_levels: false`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Indices, Mask, Timeline, subset
from pipeline.utc_day import DAY_NS

_MONTH_DAYS = 30
_RECENT_MONTHS = 3
_FEWEST_ROWS = 100  # in a month with a level of its own
_MEDIAN_COST = np.sqrt(np.pi / 2)  # standard error of a median over that of a mean
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Levels:
    """Levels of the months of a window.

    Attributes:
        factor: the factor that brings each row to the level of the newest month, shape (n,).
        newest: the level of the newest month, a median score.
        effective_share: effective rows per row, at most 1, as neighbours are alike.
        growth: of the level, relative and a month, over the last three; None: fewer are known.
    """

    factor: NDArray[np.float64]
    newest: float
    effective_share: float
    growth: float | None = None


def months(timeline: Timeline) -> Indices:
    """Number of the 30-day month of each row, 0 the newest; a short rest joins the oldest."""
    day = timeline.time_ns // DAY_NS
    ago = day.max() - day
    whole = int(ago.max() + 1 + _MONTH_DAYS // 2) // _MONTH_DAYS
    back: Indices = np.minimum(ago // _MONTH_DAYS, max(whole, 1) - 1).astype(np.intp)
    return back


def levels(score: NDArray[np.float64], timeline: Timeline, counted: Mask, *, align: bool) -> Levels:
    """Levels of the months by the rows that are `counted`.

    The medians of the months are noisy, and an error of 3 % of the level is one of 10 % of the
    rate. They are therefore shrunk towards a straight line in time (exponential growth) as far as
    their scatter about it is no more than their standard errors explain: parametric empirical
    Bayes (Efron & Morris, JASA 1973; Morris, JASA 1983).
    """
    logs = np.log(np.maximum(score, _LEAST))
    back = months(timeline)
    rows = np.flatnonzero(counted)
    if not len(rows):
        return Levels(np.ones(len(score)), math.nan, 1.0)
    month, medians = _medians(logs[rows], back[rows])
    centred = logs[rows] - _of_month(month, medians, back)[back[rows]]
    recent = _recent_growth(month, medians)
    effective_share = effective_rows(
        centred if align else logs[rows], subset(timeline, rows)
    ) / len(rows)
    if not align or len(month) == 1:
        return Levels(np.ones(len(score)), float(np.exp(medians[0])), effective_share, recent)
    size = np.bincount(back[rows])[month]
    errors = (
        _MEDIAN_COST
        * max(float(centred.std()), _LEAST)
        / np.sqrt(np.maximum(size * effective_share, 1))
    )
    fitted = _shrunk(month.astype(np.float64), medians, errors)
    factor = np.exp(fitted[0] - _of_month(month, fitted, back)[back])
    recent = _recent_growth(month, fitted)
    return Levels(factor, float(np.exp(fitted[0])), effective_share, recent)


def _medians(logs: NDArray[np.float64], back: Indices) -> tuple[Indices, NDArray[np.float64]]:
    """Months with enough rows for a level of their own, newest first, and their log-medians."""
    size = np.bincount(back)
    month = np.flatnonzero(size >= min(_FEWEST_ROWS, size.max()))
    return month, np.array([np.median(logs[back == number]) for number in month])


def _recent_growth(month: Indices, value: NDArray[np.float64]) -> float | None:
    """Growth of the log-level a month from the month three months before the newest one."""
    past = np.flatnonzero(month == month[0] + _RECENT_MONTHS)
    if not len(past):
        return None
    return float(np.expm1((value[0] - value[past[0]]) / _RECENT_MONTHS))


def _of_month(month: Indices, value: NDArray[np.float64], back: Indices) -> NDArray[np.float64]:
    """The value of every month; a month without one lies between its neighbours."""
    return np.interp(np.arange(back.max() + 1), month, value)


def _shrunk(
    month: NDArray[np.float64], medians: NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The medians shrunk towards their regression line; two medians lie on it anyway."""
    design = np.column_stack([np.ones_like(month), month])
    weight = 1 / errors**2
    coefficients = np.linalg.solve(
        design.T @ (design * weight[:, None]), design.T @ (weight * medians)
    )
    regression = design @ coefficients
    free = max(len(month) - design.shape[1], 1)
    scatter = (
        float((weight * (medians - regression) ** 2).sum()) / free
    )  # 1 when all of it is chance
    own = max(0.0, 1 - 1 / scatter) if scatter > 0 else 0.0
    fitted: NDArray[np.float64] = regression + own * (medians - regression)
    return fitted
