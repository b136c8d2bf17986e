"""Between which scores the line of a bundle may lie.

A line is drawn on scores of normal rows, so it lies among them or, by a method that extrapolates,
not far beyond. What lies elsewhere was not drawn: a line at 1e9 flags nothing for ever, one at
1e-300 everything. What is known of those scores:

- their least and greatest, which `detector.json` states (`calibration.drawn_between`). Releases
  before this did not state it, and a recalibration draws on scores brought to the level of the
  newest month, which nobody keeps: there the quantiles and the reference say it, to a factor of 10;
- the reference, a sample of at most 5,000 of them. It is a file of its own, so a range that was
  widened together with the line does not fit it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.description import DESCRIPTION_FILE, Description
from pipeline.errors import BundleError

EXTRAPOLATING = ("hill", "pot", "mad", "sigma")
"""Methods whose line may lie beyond every score that drew it."""

BEYOND = 1000.0
"""Times the greatest score: no such line may lie higher. Measured on heavy-tailed scores at alpha
0.01, the farthest lay 24 times as high (hill, 20 rows); beyond 1,000 times nothing would be flagged
that sensors measure. Also how far below the median a line may lie, but one drawn with labels."""

UNSURE = 10.0
"""Times what quantiles and reference say, where the range of the scores is not stated."""

_ROUNDING = 1e-6  # the reference keeps scores in float32


@dataclass(frozen=True)
class ThresholdRange:
    """Where a line may lie, ends included."""

    low: float
    high: float


def refuse_threshold(description: Description, reference: NDArray[np.floating]) -> None:
    """Let a line pass that the scores of the calibration can have drawn.

    `reference` are the scores of the reference, shape (n,), at least one.

    Raises:
        BundleError: the line, or the range that it was drawn in, lies elsewhere.
    """
    _refuse_other_range(description, reference)
    line, limits = description.threshold, threshold_range_of(description, reference)
    if not limits.low <= line.value <= limits.high:
        msg = (
            f"{DESCRIPTION_FILE}: threshold.value is {line.value:g}; a line that {line.method[:40]}"
            f" draws on these calibration scores lies from {limits.low:g} to {limits.high:g}. It "
            "was changed after the calibration: fetch the bundle again. If the fit ended with "
            "this, give it more calibration rows or set threshold.method: conformal."
        )
        raise BundleError(msg)


def threshold_range_of(description: Description, reference: NDArray[np.floating]) -> ThresholdRange:
    """Where the line of `description` may lie."""
    summary, line = description.calibration, description.threshold
    extrapolates = line.method in EXTRAPOLATING
    if summary.drawn_between is not None:
        low, high = summary.drawn_between
        high *= BEYOND if extrapolates else 1.0
    else:
        greatest = max(*summary.quantiles.values(), float(reference.max()))
        low, high = 0.0, greatest * (BEYOND if extrapolates else UNSURE)
    if line.method != "cost_weighted":
        low = max(low, summary.quantiles["0.5"] / BEYOND)
    return ThresholdRange(low, high)


def _refuse_other_range(description: Description, reference: NDArray[np.floating]) -> None:
    """The range holds the reference, and is no wider where the reference is all there was."""
    summary = description.calibration
    greatest = float(reference.max())
    told = summary.drawn_between or (0.0, max(summary.quantiles.values()))
    highest = greatest * BEYOND
    exact = summary.drawn_between is not None and description.finish.contexts is None
    if exact:
        # Divided by factors of contexts, the scores that drew the line are others, a little.
        whole = len(reference) == summary.rows
        highest = greatest * (1 + _ROUNDING) if whole else highest
    fits = told[1] <= highest and (
        not exact
        or (
            told[0] <= float(reference.min()) * (1 + _ROUNDING)
            and greatest <= told[1] * (1 + _ROUNDING)
        )
    )
    if not fits:
        msg = (
            f"{DESCRIPTION_FILE}: the calibration scores are told to lie between {told[0]:g} and "
            f"{told[1]:g}, and {len(reference):,} of {summary.rows:,} in reference.parquet lie "
            f"between {reference.min():g} and {greatest:g}. One of them was "
            "changed: fetch the bundle again, or fit again."
        )
        raise BundleError(msg)
