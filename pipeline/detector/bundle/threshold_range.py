"""The range in which the threshold of a bundle must lie.

A threshold is estimated from scores of normal rows, so it lies among them or, by a method that
extrapolates, not far beyond. Any other value was not estimated: a threshold of 1e9 flags nothing,
one of 1e-300 everything. The bundle shows those scores in two places:

- their least and greatest, which `detector.json` states (`calibration.drawn_between`). Earlier
  releases did not state it, and a recalibration uses scores brought to the level of the newest
  month, which are not kept: there the quantiles and the reference give it, to a factor of 10;
- the reference, a sample of at most 5,000 of them. It is a separate file, so a range that was
  widened together with the threshold does not fit it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.bundle.description import DESCRIPTION_FILE, Description
from pipeline.errors import BundleError

EXTRAPOLATING = ("hill", "pot", "mad", "sigma")
"""Methods whose threshold may lie beyond every score that it was estimated from."""

BEYOND = 1000.0
"""Times the greatest score: no such threshold may lie higher. Measured on heavy-tailed scores at
alpha 0.01, the farthest was 24 times as high (hill, 20 rows); beyond 1,000 times no sensor value
would be flagged. It also limits how far below the median a threshold may lie, except one estimated
from labels."""

UNSURE = 10.0
"""Times the greatest score of quantiles and reference, where the range is not stated."""

_ROUNDING = 1e-6  # the reference keeps scores in float32


@dataclass(frozen=True)
class ThresholdRange:
    """The range in which a threshold may lie, ends included."""

    low: float
    high: float


def refuse_threshold(description: Description, reference: NDArray[np.floating]) -> None:
    """Refuse a threshold that the scores of the calibration do not allow.

    `reference` are the scores of the reference, shape (n,), at least one.

    Raises:
        BundleError: the threshold, or the stated range of the scores, does not fit.
    """
    _refuse_other_range(description, reference)
    threshold, limits = description.threshold, threshold_range_of(description, reference)
    if not limits.low <= threshold.value <= limits.high:
        msg = (
            f"{DESCRIPTION_FILE}: threshold.value is {threshold.value:g}; the method "
            f"{threshold.method[:40]} gives {limits.low:g} to {limits.high:g} for these "
            "calibration scores. It was changed after the calibration: fetch the bundle "
            "again. If the fit ended with this, give it more calibration rows or set "
            "threshold.method: conformal."
        )
        raise BundleError(msg)


def threshold_range_of(description: Description, reference: NDArray[np.floating]) -> ThresholdRange:
    """The range in which the threshold of `description` may lie."""
    summary, method = description.calibration, description.threshold.method
    extrapolates = method in EXTRAPOLATING
    if summary.drawn_between is not None:
        low, high = summary.drawn_between
        high *= BEYOND if extrapolates else 1.0
    else:
        greatest = max(*summary.quantiles.values(), float(reference.max()))
        low, high = 0.0, greatest * (BEYOND if extrapolates else UNSURE)
    if method != "cost_weighted":
        low = max(low, summary.quantiles["0.5"] / BEYOND)
    return ThresholdRange(low, high)


def _refuse_other_range(description: Description, reference: NDArray[np.floating]) -> None:
    """Refuse a stated range that does not contain the reference, or is wider than a full one."""
    summary = description.calibration
    greatest = float(reference.max())
    stated = summary.drawn_between or (0.0, max(summary.quantiles.values()))
    highest = greatest * BEYOND
    exact = summary.drawn_between is not None and description.finish.contexts is None
    if exact:
        # With contexts, the threshold was estimated from scores with slightly different factors.
        whole = len(reference) == summary.rows
        highest = greatest * (1 + _ROUNDING) if whole else highest
    fits = stated[1] <= highest and (
        not exact
        or (
            stated[0] <= float(reference.min()) * (1 + _ROUNDING)
            and greatest <= stated[1] * (1 + _ROUNDING)
        )
    )
    if not fits:
        msg = (
            f"{DESCRIPTION_FILE}: the calibration scores should lie between {stated[0]:g} and "
            f"{stated[1]:g}, and {len(reference):,} of {summary.rows:,} in reference.parquet lie "
            f"between {reference.min():g} and {greatest:g}. One of them was "
            "changed: fetch the bundle again, or fit again."
        )
        raise BundleError(msg)
