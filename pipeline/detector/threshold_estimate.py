"""A threshold, with everything a reviewer needs to know how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ThresholdEstimate:
    """The line between normal and anomalous: a row is flagged when `score > value`.

    Attributes:
        value: the threshold, in units of the score.
        method: key of THRESHOLDS that drew it.
        alpha: share of normal rows that it was asked to let cross.
        n: calibration scores.
        n_effective: what they are worth when neighbours are alike: n (1 - rho) / (1 + rho).
        interval: 95 % interval of the threshold; None at an end that the data cannot bound.
        rate_interval: 95 % interval of the realised false-positive rate.
        low_confidence: drawn from too few rows for the guarantee; shown wherever it is used.
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
