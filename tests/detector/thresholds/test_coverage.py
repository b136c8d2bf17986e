import math

import numpy as np
import pytest
from scipy import stats

from pipeline.detector.thresholds.coverage import (
    clopper_pearson,
    conformal_rank,
    least_rows,
    quantile_interval,
    rate_interval,
    rate_interval_of_rank,
)


@pytest.mark.parametrize(("n", "rank"), [(99, 99), (100, 100), (199, 198), (500, 496), (999, 990)])
def test_the_rank_is_the_smallest_that_keeps_the_promise(n, rank):
    assert conformal_rank(n, 0.01) == rank


def test_rounding_never_asks_for_one_rank_too_many():
    for n in range(99, 5000):
        exact = n + 1 - (n + 1) // 100
        assert conformal_rank(n, 0.01) == exact, n


@pytest.mark.parametrize(("alpha", "least"), [(0.01, 99), (0.05, 19), (0.001, 999), (0.1, 9)])
def test_fewer_rows_than_one_in_alpha_hold_no_threshold(alpha, least):
    assert least_rows(alpha) == least
    assert conformal_rank(least, alpha) == least
    assert conformal_rank(least - 1, alpha) > least - 1


@pytest.mark.parametrize(
    ("n", "low", "high"), [(500, 0.0033, 0.0204), (1000, 0.0048, 0.0170), (5000, 0.0074, 0.0129)]
)
def test_the_rate_interval_agrees_with_the_published_table(n, low, high):
    beta = rate_interval((n + 1 - conformal_rank(n, 0.01)) / (n + 1), n)

    assert beta == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("n", "low", "high"), [(500, 490, 500), (1000, 983, 997), (5000, 4936, 4964)]
)
def test_the_threshold_interval_agrees_with_the_published_ranks(n, low, high):
    ranks = np.arange(1, n + 1, dtype=np.float64)

    found = quantile_interval(ranks, 0.01, n)

    assert found == pytest.approx((low, high), abs=1)


def test_fewer_than_three_hundred_rows_leave_the_threshold_unbounded_above():
    assert quantile_interval(np.arange(299.0), 0.01, 299)[1] is None
    assert quantile_interval(np.arange(400.0), 0.01, 400)[1] is not None


def test_the_threshold_interval_holds_the_quantile_as_often_as_it_says():
    random = np.random.default_rng(0)
    truth = -math.log(0.01)
    hits = 0
    for _ in range(400):
        low, high = quantile_interval(np.sort(random.exponential(size=1000)), 0.01, 1000)
        hits += low <= truth <= high

    assert 0.92 <= hits / 400 <= 0.99


def test_nothing_seen_still_leaves_room_for_a_small_rate():
    assert clopper_pearson(0.0, 300) == pytest.approx((0.0, 0.0122), abs=1e-4)


@pytest.mark.parametrize("n", [500, 5000])
@pytest.mark.parametrize(
    ("sampled", "rate"),
    [
        (lambda random, n: random.poisson(3, n), lambda value: stats.poisson.sf(value, 3)),
        (lambda random, n: random.random(n) > 0.995, lambda value: 0.005 if value < 1 else 0.0),
        (
            lambda random, n: np.round(2 * np.exp(0.8 * random.standard_normal(n))) / 2,
            lambda value: stats.norm.sf(np.log(value + 0.25) / 0.8),
        ),
    ],
    ids=["poisson", "mostly zeros", "rounded"],
)
def test_the_rate_of_a_tied_threshold_lies_in_its_interval(n, sampled, rate):
    random = np.random.default_rng(n)
    rank = conformal_rank(n, 0.01)
    held = 0
    for _ in range(200):
        ordered = np.sort(sampled(random, n).astype(np.float64))
        low, high = rate_interval_of_rank(ordered, rank, n)
        held += low <= rate(ordered[rank - 1]) <= high

    assert held >= 0.93 * 200


def test_without_ties_the_interval_is_that_of_the_rank():
    ordered = np.arange(500.0)
    rank = conformal_rank(500, 0.01)

    assert rate_interval_of_rank(ordered, rank, 400) == rate_interval((501 - rank) / 501, 400)
