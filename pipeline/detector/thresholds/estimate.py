"""A threshold, with all that a reviewer needs to decide how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass

FAR_MORE = 3.0
"""Times the promised share of flags: less may be outside a narrow band, and floods nobody."""


@dataclass(frozen=True)
class ThresholdEstimate:
    """The estimated threshold: a row is flagged when `score > value`.

    Attributes:
        value: the threshold, in units of the score.
        method: key of THRESHOLDS that estimated it.
        alpha: the false-positive rate that was asked for: share of normal rows above it.
        n: number of calibration scores.
        n_effective: effective rows: as many independent ones estimate a share as well.
        interval: 95 % interval of the threshold; None at an end that the data cannot bound.
        rate_interval: 95 % interval of the realised false-positive rate.
        low_confidence: too few rows for the guarantee; shown wherever the threshold is used.
        note: one sentence for the reviewer; empty when there is nothing to say.
    """

    value: float
    method: str
    alpha: float
    n: int
    n_effective: float
    interval: tuple[float | None, float | None]
    rate_interval: tuple[float, float]
    low_confidence: bool
    note: str
