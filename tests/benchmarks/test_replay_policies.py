from __future__ import annotations

import numpy as np
import pytest

from benchmarks.replay.policies import (
    Past,
    PolicyThreshold,
    fixed,
    mean_and_sigma,
    median_and_mad,
    on_everything,
    on_unflagged,
)
from pipeline.data.timeline import Timeline

MINUTE = 60_000_000_000
HUNDRED = np.arange(1.0, 201.0)


def past(score: np.ndarray, *, in_force: float = 1e9, at_training: np.ndarray = HUNDRED) -> Past:
    n = len(score)
    timeline = Timeline(np.arange(n) * MINUTE, np.zeros(n, dtype=np.intp), ("",), MINUTE)
    return Past(
        score=score,
        in_force=np.full(n, in_force),
        timeline=timeline,
        current=PolicyThreshold(5.0),
        at_training=at_training,
        first=PolicyThreshold(300.0),
        alpha=0.01,
    )


def test_a_fixed_threshold_is_the_first_one_whatever_was_seen() -> None:
    assert fixed(past(HUNDRED)).value == 300


def test_everything_uses_the_conformal_rank_of_all_rows() -> None:
    # 200 rows: rank ceil(201 x 0.99) = 199
    assert on_everything(past(HUNDRED)).value == 199


def test_unflagged_leaves_out_what_lay_above_its_own_threshold() -> None:
    # 100 rows at most 100 are left: rank ceil(101 x 0.99) = 100
    assert on_unflagged(past(HUNDRED, in_force=100.0)).value == 100


def test_a_recalibrated_quantile_has_an_interval_around_it() -> None:
    rng = np.random.default_rng(0)

    threshold = on_everything(past(rng.lognormal(size=5000)))

    assert threshold.low is not None
    assert threshold.high is not None
    assert threshold.low < threshold.value < threshold.high


def test_mean_and_sigma_adds_three_standard_deviations() -> None:
    assert mean_and_sigma(past(np.array([1.0, 3.0]))).value == pytest.approx(2 + 3 * 1)


def test_median_and_mad_gives_the_first_threshold_on_the_rows_of_the_training() -> None:
    assert median_and_mad(past(HUNDRED)).value == pytest.approx(300)


def test_median_and_mad_follows_the_spread() -> None:
    # median 100.5 -> 201, spread doubles: k x MAD is 199.5 on the training rows
    assert median_and_mad(past(2 * HUNDRED)).value == pytest.approx(201 + 2 * 199.5)
