import numpy as np
import pytest

from pipeline.data.grid import DAY_NS
from pipeline.data.sampling import sample_rows, sample_stretches, stretch_ns


def test_exactly_as_many_rows_as_asked_for_are_sampled_each_once_and_in_order():
    sampled = sample_rows(3_000_000, 5_000, seed=1)

    assert len(sampled) == 5_000
    assert (np.diff(sampled) > 0).all()
    assert sampled[0] >= 0
    assert sampled[-1] < 3_000_000


def test_all_rows_are_sampled_when_they_are_few_enough():
    assert sample_rows(10, 10, seed=1).tolist() == list(range(10))


@pytest.mark.parametrize("most", [9, 99_999])
def test_nearly_none_and_nearly_all_can_be_sampled(most):
    assert len(sample_rows(100_000, most, seed=0)) == most


def test_every_part_of_the_rows_is_sampled_alike():
    sampled = sample_rows(1_000_000, 100_000, seed=3)

    parts = np.bincount(sampled // 10_000, minlength=100)
    lasts = np.bincount(sampled % 10, minlength=10)
    # Five standard deviations of a draw without replacement.
    assert np.abs(parts - 1_000).max() < 5 * np.sqrt(1_000 * 0.9)
    assert np.abs(lasts - 10_000).max() < 5 * np.sqrt(10_000 * 0.9)


def test_the_seed_decides_which_rows():
    first, again, other = (sample_rows(100_000, 1_000, seed=seed) for seed in (1, 1, 2))

    assert (first == again).all()
    assert len(np.intersect1d(first, other)) < 50


def test_stretches_never_hold_more_rows_than_asked_for():
    rows = np.random.default_rng(0).integers(0, 100, size=1_000)

    sampled = sample_stretches(rows, 5_000, seed=1)

    assert 4_900 < rows[sampled].sum() <= 5_000


def test_a_stretch_that_is_too_large_is_passed_over():
    rows = np.array([10, 1_000, 10])

    assert sample_stretches(rows, 100, seed=0).tolist() == [True, False, True]


def test_stretches_are_short_enough_that_many_are_sampled_and_a_day_at_most():
    hour = 3_600_000_000_000

    assert stretch_ns(1_000 * hour, total=1_000_000, most=100_000, least_ns=0) == hour // 2
    assert stretch_ns(10_000 * DAY_NS, total=1_000, most=900, least_ns=0) == DAY_NS
    assert stretch_ns(1_000 * hour, total=1_000_000, most=1_000, least_ns=hour) == hour
