"""One series against its reference: the Kolmogorov-Smirnov test on effective rows.

On raw rows slow waves look like drift: without any drift it fires in 58 % of cases when
neighbouring rows correlate by 0.9 (measured; 1 to 2 % after thinning). So each series is thinned by
its own lag-1 autocorrelation, the score's measured on its logarithm, and the rows that are left
count for less where entities are correlated.

The correlation with the next row is not enough to tell at which distance rows are nearly
independent: ten-minute rows of a turbine correlate by 0.84, which alone would make eleven rows one,
but six hours later they still correlate by 0.37 and a day later by 0.11, because gusts ride on
weather. So several lags are measured, each for the first-order wave that would explain it, and the
slowest significant wave decides. Waves of the first order get the same answer from every lag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

from pipeline.data.timeline import (
    FEWEST_PAIRS,
    HIGHEST,
    Indices,
    Mask,
    Timeline,
    between_entities,
    correlation,
    runs,
    spaced,
    subset,
    thinning_step,
)
from pipeline.evaluation.rate import log_score

_LAGS = (1, 2, 4, 8, 16, 32, 64)  # rows; a bundle's reference holds stretches of a hundred
_SURE = 3.0  # standard errors: the largest of seven decides, so each needs more than the usual two

_FEW_ROWS = 30  # from fewer waves the autocorrelation comes out too low: they count half

SCORE = "score"
"""The score's name among the features."""

ACCEPTED = "score since acceptance"
"""The name of the score where it is compared with the last accepted state."""


@dataclass(frozen=True)
class Wave:
    """The slowest wave in a series, as one of the first order.

    Attributes:
        rho: correlation of a row with the next one, in [0, 0.999].
    """

    rho: float

    @property
    def step(self) -> int:
        """Keep one row in this many, and what is left is nearly independent."""
        return thinning_step(self.rho)

    @property
    def worth(self) -> float:
        """Effective rows in one of the rows that are left: neighbours still correlate by rho^step.

        Without it 3 % of quiet families warn at rho 0.9, where 1 % should.
        """
        left = self.rho**self.step
        return (1 - left) / (1 + left)


def slowest_wave(values: NDArray[np.floating], timeline: Timeline) -> Wave:
    """The wave of the first order that explains the slowest correlation at any lag."""
    order, run = runs(timeline)
    in_order = values[order].astype(np.float64)
    wave = Wave(0.0)
    for lag in _LAGS:
        together = np.flatnonzero(run[lag:] == run[:-lag]) if lag < len(run) else run[:0]
        if len(together) < FEWEST_PAIRS:
            break
        likeness = correlation(in_order, together, together + lag)
        # Bartlett: a correlation scatters with the rows that are independent, not with all.
        if likeness < _SURE * math.sqrt(wave.step / len(together)):
            break
        wave = Wave(max(wave.rho, min(likeness ** (1 / lag), HIGHEST)))
    return wave


@dataclass(frozen=True)
class Sample:
    """Rows to compare.

    Attributes:
        timeline: times and entities of n rows.
        features: shape (n, d), in feature-column order.
        score: shape (n,); NaN where a row has none.
        muted: shape (n, d), features that were left out of the row's score; None: no feature was.
    """

    timeline: Timeline
    features: NDArray[np.float32]
    score: NDArray[np.float32]
    muted: Mask | None = None


def select_rows(sample: Sample, kept: Mask | Indices) -> Sample:
    """The `kept` rows of `sample`."""
    return Sample(
        subset(sample.timeline, kept),
        sample.features[kept],
        sample.score[kept],
        None if sample.muted is None else sample.muted[kept],
    )


def without(sample: Sample, entity: str) -> Sample:
    """The rows of the other entities."""
    return select_rows(
        sample, np.flatnonzero(sample.timeline.entity != sample.timeline.names.index(entity))
    )


@dataclass(frozen=True)
class Series:
    """One series on nearly independent rows: the score's logarithm, or a feature.

    Attributes:
        values: shape (n,), ascending.
        rows: number of effective rows.
    """

    values: NDArray[np.float64]
    rows: float


@dataclass(frozen=True)
class SeriesTest:
    """The test of one series.

    Attributes:
        distance: KS distance D, between 0 and 1.
        p: probability of such a distance without drift, on effective rows.
        rows_reference: effective rows of the reference.
        rows_current: effective rows that were tested.
        visible: smallest D that would be significant on these rows (asymptotically).
        rises: whether the median rose.
    """

    distance: float
    p: float
    rows_reference: float
    rows_current: float
    visible: float
    rises: bool


def series_of(sample: Sample, feature: int | None, *, maximum_rows: int) -> Series:
    """A feature (its position) or the score (None), thinned until neighbours are independent.

    Rows where the feature was muted or is absent (NaN) are left out, and so are scores without a
    muted feature.
    """
    if feature is None:
        values, known = log_score(sample.score), np.isfinite(sample.score)
        if sample.muted is not None:
            known &= ~sample.muted.any(axis=1)
    else:
        values = sample.features[:, feature].astype(np.float64)
        known = np.isfinite(values)
        if sample.muted is not None:
            known &= ~sample.muted[:, feature]
    if known.all():
        return _independent(values, sample.timeline, maximum_rows)
    return _independent(values[known], subset(sample.timeline, known), maximum_rows)


def compare(before: Series, after: Series, *, level: float) -> SeriesTest:
    """Test whether `after` has the distribution of `before`, at significance `level`."""
    if not (len(before.values) and len(after.values)):
        return SeriesTest(0.0, 1.0, before.rows, after.rows, 1.0, rises=False)
    distance = _distance(before.values, after.values)
    rows = max(1, round(before.rows * after.rows / (before.rows + after.rows)))
    return SeriesTest(
        distance=distance,
        p=_chance(distance, rows),
        rows_reference=before.rows,
        rows_current=after.rows,
        visible=math.sqrt(-math.log(level / 2) / (2 * rows)),
        rises=float(np.median(after.values)) > float(np.median(before.values)),
    )


def _distance(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Largest gap between the two empirical distribution functions (Smirnov, 1939)."""
    at = np.concatenate([before, after])
    gap = np.searchsorted(before, at, "right") / len(before)
    gap -= np.searchsorted(after, at, "right") / len(after)
    return float(np.abs(gap).max())


def _chance(distance: float, rows: int) -> float:
    """Probability of at least this distance on `rows` rows without drift.

    Kolmogorov's limit law with the correction of Stephens (1970), forty times as fast as the exact
    law. Where a verdict turns on it, it is at most 1.6 times as large at 10 rows (the cautious
    side) and 2 % smaller at 500.
    """
    root = math.sqrt(rows)
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))


def _independent(values: NDArray[np.float64], timeline: Timeline, maximum_rows: int) -> Series:
    wave = slowest_wave(values, timeline)
    step = wave.step
    kept = spaced(timeline, step)
    if len(kept) > maximum_rows:
        kept = kept[np.linspace(0, len(kept) - 1, maximum_rows).round().astype(np.intp)]
    moments = len(np.unique(timeline.time_ns[kept] // (step * timeline.cadence_ns)))
    together = between_entities(values, timeline)
    shared = 1 + (len(kept) / max(1, moments) - 1) * together
    worth = len(kept) * wave.worth / shared
    return Series(np.sort(values[kept]), worth if worth >= _FEW_ROWS else worth / 2)
