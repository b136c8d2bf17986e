"""Properties of every threshold method; a new one in THRESHOLDS is tested without a change here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.config import Threshold
from pipeline.detector.calibration.calibrate import estimate_threshold
from pipeline.detector.thresholds.methods import THRESHOLDS
from pipeline.errors import CalibrationError

methods = pytest.mark.parametrize("method", THRESHOLDS)


def normals(n, seed=0):
    return np.random.default_rng(seed).lognormal(size=n)


def value(method, scores, alpha=0.01):
    return THRESHOLDS[method](scores, alpha=alpha, n_effective=len(scores)).value


@methods
@given(seed=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3))
def test_it_is_as_large_as_the_scores_are(method, seed, factor):
    scores = normals(200, seed)

    assert value(method, scores * factor) == pytest.approx(value(method, scores) * factor)


@methods
@given(seed=st.integers(0, 10_000), alphas=st.tuples(st.floats(0.01, 0.4), st.floats(0.01, 0.4)))
def test_it_rises_when_fewer_rows_may_cross(method, seed, alphas):
    scores = normals(300, seed)

    assert value(method, scores, min(alphas)) >= value(method, scores, max(alphas))


@methods
@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_scores_does_not_matter(method, seed):
    scores = normals(150, seed)

    assert value(method, scores) == value(method, np.random.default_rng(1).permutation(scores))


@methods
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_score_that_is_not_finite_is_an_error(method, bad):
    scores = normals(500)
    scores[7] = bad

    with pytest.raises(CalibrationError, match="1 of 500"):
        estimate_threshold(scores, Threshold(method=method), n_effective=500)


@methods
def test_too_few_scores_are_an_error_that_names_count_and_limit(method):
    with pytest.raises(CalibrationError, match=r"5 .* at least"):
        value(method, normals(5))


@methods
def test_it_reports_how_far_to_trust_it(method):
    estimate = THRESHOLDS[method](normals(2000), alpha=0.01, n_effective=1500)

    low, high = estimate.interval
    assert low <= estimate.value <= high
    assert 0 <= estimate.rate_interval[0] < estimate.rate_interval[1] <= 1
    assert (estimate.method, estimate.alpha, estimate.n, estimate.n_effective) == (
        method,
        0.01,
        2000,
        1500,
    )


@methods
def test_its_interval_of_the_rate_holds_the_true_rate_nearly_always(method):
    held = 0
    for seed in range(100):
        estimate = THRESHOLDS[method](normals(400, seed), alpha=0.02, n_effective=400)
        low, high = estimate.rate_interval
        held += low <= stats.lognorm.sf(estimate.value, s=1) <= high

    assert held >= 85


@methods
def test_its_interval_narrows_with_the_effective_rows(method):
    scores = normals(2000)

    few, many = (THRESHOLDS[method](scores, alpha=0.02, n_effective=n) for n in (500, 2000))

    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]


@pytest.mark.parametrize("method", [name for name in THRESHOLDS if name != "conformal"])
def test_a_method_without_a_guarantee_says_so(method):
    estimate = THRESHOLDS[method](normals(5000), alpha=0.01, n_effective=5000)

    assert "No guarantee" in estimate.note or "Low confidence" in estimate.note


@pytest.mark.parametrize("method", ["mad", "sigma"])
def test_a_formula_that_misses_its_rate_is_marked(method):
    estimate = THRESHOLDS[method](normals(5000), alpha=0.01, n_effective=5000)

    assert estimate.rate_interval[0] > 0.015
    assert estimate.low_confidence


def test_methods_keep_the_rate_in_the_order_that_was_measured():
    realised = {method: [] for method in THRESHOLDS}
    for seed in range(300):
        scores = normals(100, seed)
        for method, rates in realised.items():
            rates.append(stats.lognorm.sf(value(method, scores), s=1))
    mean = {method: float(np.mean(rates)) for method, rates in realised.items()}

    assert mean["conformal"] <= 0.011
    assert 0.011 < mean["hill"] < mean["percentile"]
    assert 0.011 < mean["pot"] < mean["percentile"] < 0.025 < mean["sigma"] < mean["mad"]
    assert 0.10 < mean["mad"] < 0.18


@methods
def test_identical_scores_are_not_flagged_by_their_own_threshold(method):
    assert not (np.ones(200) > value(method, np.ones(200))).any()


@given(
    n=st.integers(99, 400),
    levels=st.sampled_from([3, 30, None]),
    shape=st.sampled_from([0.1, 1.0, 3.0]),
)
def test_the_conformal_guarantee_holds_whatever_the_distribution_and_its_ties(n, levels, shape):
    random = np.random.default_rng([n, levels or 0, int(shape * 10)])
    crossed, trials, fresh = 0, 200, 50
    for _ in range(trials):
        scores = random.lognormal(sigma=shape, size=n + fresh)
        if levels:
            scores = np.ceil(np.minimum(scores, 5) * levels)
        crossed += int((scores[n:] > value("conformal", scores[:n])).sum())

    # E[rate] <= 1 %; three standard errors of the mean of 200 Beta-distributed rates above it.
    rank_rate = np.floor((n + 1) * 0.01) / (n + 1)
    spread = np.sqrt(rank_rate * (1 - rank_rate) * (1 / n + 1 / fresh) / trials)
    assert crossed / (trials * fresh) <= rank_rate + 4 * spread


def test_the_conformal_rate_is_not_needlessly_low():
    random = np.random.default_rng(0)
    rates = []
    for _ in range(400):
        threshold = value("conformal", random.lognormal(size=500))
        rates.append((random.lognormal(size=500) > threshold).mean())

    assert 0.008 <= np.mean(rates) <= 0.0115
