"""The realised false-positive rate of a threshold, compared with alpha and its uncertainty.

Three intervals are recorded, because they answer three questions:

- `interval`: which true rates do the test rows allow? (Clopper-Pearson, effective rows)
- `expected`: which true rates may a threshold from that many calibration rows have?
  (Beta, the law of a conformal threshold's coverage: Vovk 2012; Angelopoulos & Bates 2023)
- `band`: which observed rates agree with alpha? **This one gives the verdict.** It combines
  both errors: a count of m effective test rows whose true rate follows `expected` is
  beta-binomial, and the band holds its central 95 %.

All three count effective rows (`pipeline.data.timeline`): neighbours in time, and entities under
the same weather, rise together, so the observed rate scatters more than that of as many independent
rows. Measured on 32 splits of four wind turbines by day: 5 of the observed rates lay in the band of
independent rows, 23 where time was accounted for, 31 where time and entities were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Mask, Timeline, subset
from pipeline.detector.thresholds.coverage import Interval, clopper_pearson, conformal_rank
from pipeline.detector.thresholds.estimate import ThresholdEstimate

_SURE = 0.95


class Promise(Protocol):
    """What is known of a threshold: a `ThresholdEstimate`, or what a table has kept of it."""

    @property
    def alpha(self) -> float:
        """Share of normal rows that may be above it."""

    @property
    def n(self) -> int:
        """Number of its calibration rows."""

    @property
    def n_effective(self) -> float:
        """What these are worth."""


@dataclass(frozen=True)
class RealisedRate:
    """The realised false-positive rate: the share of normal rows above the threshold.

    Attributes:
        rows: number of normal rows.
        rows_effective: number of effective rows.
        flagged: normal rows above the threshold.
        rate: flagged / rows; the false-positive rate.
        interval: 95 % interval of the true rate from these rows alone.
        expected: 95 % interval of the true rate from the calibration alone.
        band: range of 95 % of observed rates if the threshold keeps alpha; decides `verdict`.
        verdict: position of `rate` relative to `band`.
    """

    rows: int
    rows_effective: float
    flagged: int
    rate: float
    interval: Interval
    expected: Interval
    band: Interval
    verdict: Literal["inside", "above", "below"]


def realised_rate(
    score: NDArray[np.floating], normal: Mask, timeline: Timeline, threshold: ThresholdEstimate
) -> RealisedRate | None:
    """The false-positive rate of `threshold` on the normal rows; None when there are none."""
    rows = int(normal.sum())
    if not rows:
        return None
    of_normal = score[normal]
    flagged = int((of_normal > threshold.value).sum())
    effective = effective_rows(log_score(of_normal), subset(timeline, normal))
    rate = flagged / rows
    band = agreeing_rates(threshold, effective)
    return RealisedRate(
        rows=rows,
        rows_effective=effective,
        flagged=flagged,
        rate=rate,
        interval=clopper_pearson(rate, effective),
        expected=threshold.rate_interval,
        band=band,
        verdict="inside" if band[0] <= rate <= band[1] else "above" if rate > band[1] else "below",
    )


def against_the_promise(rate: RealisedRate) -> str:
    """What the rate says of the promise, as plainly where too few rows are flagged as too many."""
    low, high = rate.band
    seen = f"{rate.rate:.2%} of {rate.rows:,} normal test rows are flagged"
    if rate.verdict == "above":
        return (
            f"Too many flags: {seen}, and the promise allows {high:.2%} at most. Expect false "
            "alarms; or the test days hold faults that nobody labelled."
        )
    if rate.verdict == "below":
        return (
            f"Too few flags: {seen}, and the promise asks for {low:.2%} at least. The threshold "
            "is too high, and faults may pass unseen; look for unlabelled faults among the "
            "calibration rows."
        )
    if low <= 0:
        return (
            f"It agrees with the promise, but {rate.rows_effective:,.0f} independent rows are too "
            "few to show a rate that is too low: no flag at all would agree as well."
        )
    return "It agrees with the promise."


def log_score(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithm of the scores, which are skewed; correlation and KS are measured on it."""
    tiny = np.finfo(np.float32).tiny
    logarithm: NDArray[np.float64] = np.log(np.maximum(score.astype(np.float64), tiny))
    return logarithm


def agreeing_rates(threshold: Promise, test_rows: float, *, sure: float = _SURE) -> Interval:
    """Observed rates on `test_rows` effective rows that agree with alpha, a share `sure` of them.

    Half a count is added at each end: effective counts are not whole, and the band should hold
    every rate that rounds to a count inside it.
    """
    m = max(1, round(test_rows))
    a, b = _beta(threshold)
    low, high = (float(stats.betabinom.ppf(tail, m, a, b)) for tail in _tails(sure))
    return max(0.0, low - 0.5) / m, min(float(m), high + 0.5) / m


def highest_agreeing(share: float, known: float, rows: float) -> float:
    """The highest share on `rows` effective rows that agrees with `share` on `known` ones (97.5 %).

    Both errors count, as in `agreeing_rates`: the count is beta-binomial.
    """
    weight, m = known + 1, max(1, round(rows))
    hits = float(np.clip(share * weight, 0.5, weight - 0.5))
    high = float(stats.betabinom.ppf(_tails(_SURE)[1], m, hits, weight - hits))
    return min(float(m), high + 0.5) / m


def _tails(sure: float) -> tuple[float, float]:
    return (1 - sure) / 2, (1 + sure) / 2


def _beta(threshold: Promise) -> tuple[float, float]:
    """Parameters of the true rate's law: the mean of rank k of n, the spread of n effective rows.

    With n independent rows this is Beta(n + 1 - k, k) exactly. A threshold of another method (too
    few rows for the rank) is compared with alpha itself.
    """
    rank = conformal_rank(threshold.n, threshold.alpha)
    mean = (threshold.n + 1 - rank) / (threshold.n + 1) or threshold.alpha
    weight = threshold.n_effective + 1
    return mean * weight, (1 - mean) * weight
