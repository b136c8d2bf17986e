"""One series against its reference: the Kolmogorov-Smirnov distance, on what the rows are worth.

On raw rows the test takes slow waves for news: without any drift it fires in 58 % of cases when
neighbouring rows correlate by 0.9 (measured; 1 to 2 % after thinning). So each series is thinned by
its own lag-1 autocorrelation, the score's measured on its logarithm, and what is left counts for
less where entities rise and fall together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.data.timeline import (
    Timeline,
    autocorrelation,
    between_entities,
    spaced,
    subset,
    thinning_step,
)
from pipeline.evaluation.rate import log_score

_FEW_ROWS = 30  # from fewer waves the autocorrelation comes out too low: they count half

SCORE = "score"
"""The score's name among the features."""


@dataclass(frozen=True)
class Sample:
    """Rows to compare: features of shape (n, d) in feature-column order, scores of shape (n,)."""

    line: Timeline
    features: NDArray[np.float32]
    score: NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """The test of one series.

    Attributes:
        distance: KS distance D, between 0 and 1.
        p: probability of such a distance without drift, on effective rows.
        rows_reference: effective rows of the reference.
        rows_current: effective rows that were tested.
        visible: smallest D that these rows would call significant (asymptotically).
        rises: whether the median rose.
    """

    distance: float
    p: float
    rows_reference: float
    rows_current: float
    visible: float
    rises: bool


def compare(
    reference: Sample, current: Sample, feature: int | None, *, maximum_rows: int, level: float
) -> Comparison:
    """Test one feature (its position) or the score (None) at significance `level`."""
    before, before_rows = _independent(reference, feature, maximum_rows)
    after, after_rows = _independent(current, feature, maximum_rows)
    if not (len(before) and len(after)):
        return Comparison(0.0, 1.0, before_rows, after_rows, 1.0, rises=False)
    distance = float(stats.ks_2samp(before, after, method="asymp").statistic)
    rows = max(1, round(before_rows * after_rows / (before_rows + after_rows)))
    return Comparison(
        distance=distance,
        p=float(stats.kstwo.sf(distance, rows)),
        rows_reference=before_rows,
        rows_current=after_rows,
        visible=math.sqrt(-math.log(level / 2) / (2 * rows)),
        rises=float(np.median(after)) > float(np.median(before)),
    )


def _independent(
    sample: Sample, feature: int | None, maximum_rows: int
) -> tuple[NDArray[np.float64], float]:
    """Values thinned until neighbours are nearly independent, and how many rows they are worth."""
    if feature is None:
        values = log_score(sample.score)
    else:
        values = sample.features[:, feature].astype(np.float64)
    step = thinning_step(autocorrelation(values, sample.line))
    kept = spaced(sample.line, step)
    if len(kept) > maximum_rows:
        kept = kept[np.linspace(0, len(kept) - 1, maximum_rows).round().astype(np.intp)]
    thinned = subset(sample.line, kept)
    moments = len(np.unique(thinned.time_ns // (step * thinned.cadence_ns)))
    together = between_entities(values, sample.line)
    shared = 1 + (len(kept) / max(1, moments) - 1) * together
    worth = len(kept) / shared
    return values[kept], worth if worth >= _FEW_ROWS else worth / 2
