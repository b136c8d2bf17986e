import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.recalibration.density import NormalDensity, dense, normal_density
from tests.recalibration.window import (
    CADENCE_NS,
    SIGMA,
    THRESHOLD,
    recalibrated,
    scores,
    timeline_of,
    window,
)

A_DAY = 667  # rows in 24 hours at this cadence
N = 20_000
NONE = np.zeros(60_000, dtype=bool)


def weak_outages(score: np.ndarray, rows: slice, factor: float = 2.5) -> np.ndarray:
    """Every second hour of these rows is bad: fragments no longer than normal clusters."""
    worse = score.copy()
    worse[rows][::3] *= factor
    return worse


def test_independent_rows_may_have_few_flags_a_day() -> None:
    normal = normal_density(scores(5000), timeline_of(5000), alpha=0.01)

    assert normal.worth == 1
    assert 0.02 < normal.most(np.array([A_DAY]))[0] < 0.03


def test_rows_like_their_neighbours_may_have_more() -> None:
    alike = normal_density(scores(5000, rho=0.9), timeline_of(5000), alpha=0.01)

    assert alike.most(np.array([A_DAY]))[0] > 0.035


def test_a_few_rows_are_never_dense() -> None:
    assert NormalDensity(0.01, 0.1).most(np.array([1, 10]))[0] == 1.0


def test_a_day_with_many_single_flags_is_held_as_a_whole() -> None:
    above = np.zeros(10 * A_DAY, dtype=bool)
    above[4 * A_DAY : 5 * A_DAY : 20] = True

    held = dense(above, NONE[: len(above)], timeline_of(len(above)), NormalDensity(0.01, 1.0))

    assert held[4 * A_DAY : 5 * A_DAY].all()
    assert not held[: 3 * A_DAY].any()
    assert not held[6 * A_DAY :].any()


def test_one_sustained_episode_does_not_make_its_day_dense() -> None:
    above = np.zeros(10 * A_DAY, dtype=bool)
    above[4 * A_DAY : 4 * A_DAY + 60] = True

    assert not dense(above, above, timeline_of(len(above)), NormalDensity(0.01, 1.0)).any()
    assert dense(above, NONE[: len(above)], timeline_of(len(above)), NormalDensity(0.01, 1.0)).any()


def test_normal_rows_are_hardly_ever_held() -> None:
    score = scores(60_000, seed=5, rho=0.9)
    normal = normal_density(scores(5000, seed=6, rho=0.9), timeline_of(5000), alpha=0.01)

    assert dense(score > THRESHOLD, NONE[:60_000], timeline_of(60_000), normal).mean() < 0.04


def test_a_day_of_one_machine_is_held_for_that_machine_alone() -> None:
    above = np.zeros(20 * A_DAY, dtype=bool)
    above[4 * A_DAY : 5 * A_DAY : 20] = True
    one = timeline_of(10 * A_DAY)
    two = Timeline(
        np.tile(one.time_ns, 2),
        np.repeat(np.arange(2, dtype=np.intp), 10 * A_DAY),
        ("a", "b"),
        CADENCE_NS,
    )

    held = dense(above, NONE[: len(above)], two, NormalDensity(0.01, 1.0))

    assert held[: 10 * A_DAY].any()
    assert not held[10 * A_DAY :].any()


def test_where_most_days_are_dense_the_threshold_is_off_and_nothing_is_held() -> None:
    above = np.zeros(10 * A_DAY, dtype=bool)
    above[::20] = True

    assert not dense(
        above, NONE[: len(above)], timeline_of(len(above)), NormalDensity(0.01, 1.0)
    ).any()


def test_no_row_is_dense() -> None:
    assert not len(dense(NONE[:0], NONE[:0], timeline_of(0), NormalDensity(0.01, 1.0)))


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_a_long_weak_outage_leaves_the_threshold_where_it_is(rho: float) -> None:
    clean = scores(N, seed=7, rho=rho)
    bad = weak_outages(clean, slice(8000, 8000 + 4 * A_DAY))
    reference = scores(5000, seed=8, rho=rho)

    before = recalibrated(window(clean), reference=reference)
    after = recalibrated(window(bad), reference=reference)

    assert after.threshold.value == pytest.approx(before.threshold.value, rel=0.06)
    assert after.weight[8000 : 8000 + 4 * A_DAY].mean() < 0.25
    assert np.log(THRESHOLD) / SIGMA == pytest.approx(2.326, abs=0.01)
