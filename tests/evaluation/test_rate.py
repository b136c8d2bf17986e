from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.coverage import rate_interval as beta_band
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.rate import (
    agreeing_rates,
    realised_rate,
)


def estimate(value: float, n: int, n_effective: float | None = None) -> ThresholdEstimate:
    return ThresholdEstimate(
        value=value,
        method="conformal",
        alpha=0.01,
        n=n,
        n_effective=n_effective or n,
        interval=(None, None),
        rate_interval=beta_band(0.01, n_effective or n),
        low_confidence=False,
        note="",
    )


def steady(n: int) -> Timeline:
    return Timeline(np.arange(n) * 10, np.zeros(n, dtype=np.intp), ("",), 10)


def test_the_band_tends_to_the_calibration_band_as_test_rows_grow() -> None:
    threshold = estimate(1.0, 999)

    assert agreeing_rates(threshold, 1e6) == pytest.approx(threshold.rate_interval, abs=1e-4)


def test_fewer_effective_rows_widen_the_band() -> None:
    narrow = agreeing_rates(estimate(1.0, 5000), 5000)
    wide = agreeing_rates(estimate(1.0, 5000, n_effective=500), 500)

    assert wide[0] < narrow[0]
    assert wide[1] > narrow[1]


@pytest.mark.parametrize(("n", "m"), [(200, 100), (500, 500), (2000, 500)])
def test_the_band_holds_95_percent_of_honest_rates(n: int, m: int) -> None:
    random = np.random.default_rng(7)
    rank = math.ceil((n + 1) * 0.99)
    band = agreeing_rates(estimate(1.0, n), m)

    thresholds = np.sort(random.exponential(size=(2000, n)), axis=1)[:, rank - 1]
    rates = (random.exponential(size=(2000, m)) > thresholds[:, None]).mean(axis=1)
    held = ((rates >= band[0]) & (rates <= band[1])).mean()

    assert 0.94 <= held <= 0.995


def test_a_rate_of_three_times_the_promise_falls_outside() -> None:
    score = np.random.default_rng(0).exponential(size=4000).astype(np.float32)
    threshold = estimate(float(np.quantile(score, 0.97)), 2000)

    rate = realised_rate(score, np.ones(4000, dtype=bool), steady(4000), threshold)

    assert rate is not None
    assert rate.verdict == "above"
    assert rate.interval[0] < 0.03 < rate.interval[1]


def test_only_normal_rows_count() -> None:
    score = np.array([0.0, 9.0, 0.0, 9.0], dtype=np.float32)
    normal = np.array([True, True, True, False])

    rate = realised_rate(score, normal, steady(4), estimate(1.0, 500))

    assert rate is not None
    assert (rate.flagged, rate.rows) == (1, 3)


def test_without_a_normal_row_there_is_no_rate() -> None:
    score = np.ones(3, dtype=np.float32)

    assert realised_rate(score, np.zeros(3, dtype=bool), steady(3), estimate(1.0, 500)) is None
