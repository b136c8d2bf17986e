"""Effective rows: the number of independent rows that estimate a share as well as these rows.

The share of rows above a threshold scatters with the long-run variance of the exceedance: the
variance of one row plus the covariances with all rows before and after it, of its own machine and
of the others. The correlation of a row with the next one does not give it: a slow wave under noise
(weather under gusts) hardly correlates from row to row and moves whole days (measured: a 95 %
interval from lag 1 held in 46 to 70 % of cases, and was twice too wide for waves of first order,
whose exceedances correlate less than their values).

Two estimates are made, and the smaller counts: Geyer's initial positive sequence (Statistical
Science 1992) of the sum over all machines at a time, and batch means by UTC day. Both look at the
exceedance of a high level. Where too few independent rows exceed it, its correlation is a guess,
and lower levels are asked as well. Chance alone takes nothing away: a correlation must be
significant to count, and what is measured on few exceedances counts for less (Student's t).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

from pipeline.data.timeline import Indices, Timeline
from pipeline.utc_day import DAY_NS

Vector = NDArray[np.float64]

_LEVELS = (0.95, 0.9, 0.8, 0.5)
"""Quantiles whose exceedances are counted, until one has enough; chosen on seeds 1 to 5."""

_ENOUGH = 40
"""Independent exceedances of a level, of which the correlation can be measured."""

_FEWEST_ROWS = 30
"""Of fewer rows a correlation is a guess."""

_FEWEST_DAYS = 5

_MOST_LAGS = 4096  # cadences: a month of ten-minute rows
_WITHIN = (2, 8, 32, 128)  # lags whose sums are tested: short waves, and slow ones under noise
_SURE = 2.5  # standard errors: the largest of four sums decides
_TAIL = 0.025
_SURE_OF_DAYS = 0.99  # quantile of chi-square that the scatter between days must exceed
_SPARSE = 4  # times as many places as rows with a place: long gaps are shortened


@dataclass(frozen=True)
class _Places:
    """The rows by time.

    Attributes:
        timeline: times and entities of n rows.
        place: number of cadences since the first row, ascending, shape (m,); long gaps shortened.
        of_row: index into `place` of each row, shape (n,).
        size: rows at each place, shape (m,).
        lags: greatest distance at which places still have their true distance.
    """

    timeline: Timeline
    place: NDArray[np.int64]
    of_row: Indices
    size: Vector
    lags: int

    def products(self, at: Vector) -> Vector:
        """Sums of the products of `at` at all places 0, 1, ... `lags` cadences apart."""
        dense = np.zeros(int(self.place[-1]) + 1)
        dense[self.place] = at
        length = fft.next_fast_len(len(dense) + self.lags, real=True)
        spectrum = fft.rfft(dense, length)
        found: Vector = fft.irfft(spectrum * spectrum.conj(), length)[: self.lags + 1]
        return found

    @cached_property
    def pairs(self) -> Vector:
        """Ordered pairs of rows at each distance; at 0 without a row and itself."""
        counted = np.rint(self.products(self.size))
        counted[0] -= len(self.of_row)
        return counted

    @cached_property
    def day(self) -> Indices:
        """Number of the UTC day of each row, shape (n,)."""
        days = self.timeline.time_ns // DAY_NS
        return np.unique(days, return_inverse=True)[1].astype(np.intp, copy=False)


def effective_rows(values: NDArray[np.floating], timeline: Timeline) -> float:
    """The number of independent rows that estimate a share of `values` as well as these n rows.

    `values` has shape (n,). At most n, and at least 1 unless n is 0.
    """
    worth = float(len(values))
    if len(values) < _FEWEST_ROWS:
        return worth
    places = _places(timeline)
    above = 1.0
    for level in _LEVELS:
        above = 1 - level
        exceeds = (values > np.quantile(values, level)).astype(np.float64)
        worth = min(worth, _worth(exceeds, places))
        if worth * above >= _ENOUGH:
            break
    return worth if worth == len(values) else max(1.0, worth * _student(worth * above))


def _student(exceedances: float) -> float:
    """Share of the rows that is left when the variance is known from so many exceedances only."""
    quantile = float(stats.t.ppf(1 - _TAIL, max(exceedances, 2.0)))
    return (float(stats.norm.ppf(1 - _TAIL)) / quantile) ** 2


def _places(timeline: Timeline) -> _Places:
    at = timeline.time_ns // timeline.cadence_ns
    place, of_row, size = np.unique(at, return_inverse=True, return_counts=True)
    apart = np.diff(place)
    lags = int(min(_MOST_LAGS, max(1, (place[-1] - place[0]) // 4)))
    # No pair farther apart than `lags` is asked for: a longer gap may be any longer gap.
    while lags > 1 and np.minimum(apart, lags + 1).sum() > max(_SPARSE * len(place), _MOST_LAGS):
        lags //= 2
    shortened = np.concatenate([[0], np.cumsum(np.minimum(apart, lags + 1))])
    return _Places(timeline, shortened, of_row.astype(np.intp), size.astype(np.float64), lags)


def _worth(above: Vector, places: _Places) -> float:
    """Effective rows by the exceedance `above`, which is 0 or 1 for each row."""
    share = float(above.mean())
    if share in (0.0, 1.0):
        return float(len(above))
    deviation = above - share
    by_wave = _by_waves(deviation, share * (1 - share), places)
    return min(by_wave, _by_days(deviation, share * (1 - share), places, by_wave))


def _by_waves(deviation: Vector, variance: float, places: _Places) -> float:
    """Effective rows by the initial positive sequence; all of them without correlation."""
    n = len(deviation)
    at_place = np.bincount(places.of_row, weights=deviation)
    together = places.products(at_place.astype(np.float64, copy=False))
    together[0] -= float(deviation @ deviation)  # what is left are pairs of rows
    if not _is_correlated(together, variance, places.pairs):
        return float(n)
    whole = (len(together) - 1) // 2 * 2
    sums = together[1 : whole + 1].reshape(-1, 2).sum(axis=1)
    positive = np.cumprod(sums > 0).astype(bool)
    total = n * variance + max(float(together[0]), 0.0) + 2 * float(sums[positive].sum())
    return n * n * variance / max(total, n * variance)


def _is_correlated(together: Vector, variance: float, pairs: Vector) -> bool:
    """Whether products of rows at one time, or within some lags, are more than chance."""
    if pairs[0] and together[0] > _SURE * variance * np.sqrt(2 * pairs[0]):
        return True
    total, counted = np.cumsum(together[1:]), np.cumsum(pairs[1:])
    asked = [lags for lags in _WITHIN if lags <= len(total)]
    return any(total[k - 1] > _SURE * variance * np.sqrt(counted[k - 1]) for k in asked)


def _by_days(deviation: Vector, variance: float, places: _Places, otherwise: float) -> float:
    """Effective rows by the scatter between days; `otherwise` where that explains the scatter."""
    n, days = len(deviation), int(places.day.max()) + 1
    if days < _FEWEST_DAYS:
        return otherwise
    of_day = np.bincount(places.day, weights=deviation)
    scatter = days / (days - 1) * float(of_day @ of_day)
    expected = n * variance * n / otherwise
    if scatter / expected < stats.chi2.ppf(_SURE_OF_DAYS, days - 1) / (days - 1):
        return otherwise
    return n * n * variance / scatter
