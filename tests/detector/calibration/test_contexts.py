"""One threshold for groups of rows with levels of their own, and the rate that it keeps."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from pipeline.config import Contexts
from pipeline.data.timeline import Timeline, subset
from pipeline.detector.calibration.contexts import (
    ContextFactors,
    factor_of,
    fit_contexts,
    groups_of,
)
from pipeline.detector.calibration.postprocessing import ScorePostprocessing, postprocess
from pipeline.detector.thresholds import conformal
from pipeline.errors import CalibrationError, DataError

MINUTE = 60_000_000_000
FEATURES = ("flow", "mode")
BY_ENTITY = Contexts(by="entity")


def machines(rows, levels, *, seed=0, rho=0.0):
    """Scores of machines measured side by side, each times its own level."""
    random, count = np.random.default_rng(seed), len(levels)
    news = random.normal(size=(rows, count)) * np.sqrt(1 - rho**2)
    logs = lfilter([1], [1, -rho], news, axis=0) * 0.5 + np.log(levels)
    entity = np.tile(np.arange(count), rows)
    time = np.repeat(np.arange(rows), count) * MINUTE
    timeline = Timeline(time, entity, tuple(f"m{n}" for n in range(count)), MINUTE)
    values = np.zeros((rows * count, len(FEATURES)), dtype=np.float32)
    return np.exp(logs).ravel(), values, timeline


def fitted(scores, rows, timeline, config=BY_ENTITY):
    return fit_contexts(scores, rows, timeline, config, FEATURES, alpha=0.01)


def rates(found, threshold, scores, rows, timeline):
    """Share of each machine's rows above the threshold."""
    done = postprocess(scores, rows, rows, timeline, ScorePostprocessing(contexts=found)).score
    above = np.bincount(timeline.entity, weights=done > threshold)
    return above / np.bincount(timeline.entity)


def test_a_noisy_machine_gets_its_share_of_flags_and_not_all_of_them():
    levels = np.array([1.0, 1.0, 1.0, 1.8])
    held, later = machines(4000, levels), machines(20_000, levels, seed=1)

    found, fair = fitted(*held)

    one, each = (
        conformal.estimate(scores, alpha=0.01, n_effective=len(scores)).value
        for scores in (held[0], fair)
    )
    plain, level = rates(None, one, *later), rates(found, each, *later)
    assert plain[3] > 0.03
    assert plain[:3].max() < 0.006
    assert level == pytest.approx(0.01, abs=0.004)


@pytest.mark.parametrize(
    ("count", "rows", "spread", "rho"),
    [(4, 2000, 0.5, 0.8), (20, 500, 0.5, 0.8), (50, 200, 0.0, 0.0), (100, 60, 0.3, 0.5)],
)
def test_the_rate_of_all_rows_stays_what_was_asked_for(count, rows, spread, rho):
    realised, kept = [], []
    for seed in range(40):
        levels = np.exp(np.random.default_rng(1000 + seed).normal(size=count) * spread)
        held = machines(rows, levels, seed=seed, rho=rho)
        later = machines(4000 if count < 20 else 1000, levels, seed=500 + seed)
        found, fair = fitted(*held)
        estimate = conformal.estimate(fair, alpha=0.01, n_effective=len(fair))
        plain = conformal.estimate(held[0], alpha=0.01, n_effective=len(fair))
        each, before = rates(found, estimate.value, *later), rates(None, plain.value, *later)
        realised.append(each.mean())
        kept.append(np.abs(each - 0.01).mean() / np.abs(before - 0.01).mean())

    assert 0.009 < np.mean(realised) < 0.011
    if spread:
        assert np.mean(kept) < 1


def test_factors_made_of_the_same_rows_would_let_more_pass():
    too_low = []
    for seed in range(20):
        scores, rows, timeline = machines(100, np.ones(100), seed=seed)
        found, fair = fitted(scores, rows, timeline, Contexts(by="entity", prior_rows=20))
        naive = postprocess(scores, rows, rows, timeline, ScorePostprocessing(contexts=found)).score
        thresholds = [
            conformal.estimate(each, alpha=0.01, n_effective=len(each)).value
            for each in (naive, fair)
        ]
        too_low.append(thresholds[0] < thresholds[1])

    assert np.mean(too_low) > 0.9


def test_the_factor_of_a_small_group_is_shrunk_towards_1():
    levels = np.array([1.0, 3.0])
    many, _ = fitted(*machines(4000, levels))
    few, _ = fitted(*machines(60, levels))

    apart = {
        name: found.factors["m1"] / found.factors["m0"]
        for name, found in (("many", many), ("few", few))
    }
    assert apart["many"] == pytest.approx(3, rel=0.2)
    assert 1 < apart["few"] < 2


def test_rows_alike_count_for_less():
    levels = np.array([1.0, 3.0])
    alike, _ = fitted(*machines(500, levels, rho=0.95))
    alone, _ = fitted(*machines(500, levels))

    assert alike.factors["m1"] < alone.factors["m1"]


def test_the_score_of_an_unknown_context_is_not_divided():
    known = ContextFactors("entity", None, {"m0": 2.0})
    scores, rows, timeline = machines(3, np.ones(2))

    done = postprocess(scores, rows, rows, timeline, ScorePostprocessing(contexts=known))

    assert done.known.tolist() == [True, False] * 3
    np.testing.assert_array_equal(done.score[~done.known], scores[~done.known])
    np.testing.assert_array_equal(done.score[done.known], scores[done.known] / 2)


def test_a_group_seen_in_one_stretch_of_time_only_has_a_factor_of_1():
    scores, rows, timeline = machines(1000, np.array([1.0, 1.0, 3.0]))
    kept = (timeline.entity != 2) | (timeline.time_ns < 50 * MINUTE)

    found, _ = fitted(scores[kept], rows[kept], subset(timeline, kept))

    assert found.factors["m2"] == 1
    assert found.factors["m0"] != 1


def test_an_hour_of_the_week_begins_on_monday_utc():
    monday = np.datetime64("2024-01-01T13:30", "ns").astype(np.int64)
    timeline = Timeline(np.array([monday]), np.zeros(1, dtype=np.intp), ("a",), MINUTE)

    found = groups_of("hour_of_week", None, np.zeros((1, 1), np.float32), timeline)

    assert found.names[found.code[0]] == "Mon 13"
    assert len(found.names) == 168


def test_a_column_names_groups_with_and_without_time():
    scores, rows, timeline = machines(2000, np.array([1.0, 3.0]))
    rows[:, 1] = timeline.entity
    config = Contexts(by="column", column="mode")

    timed, _ = fitted(scores, rows, timeline, config)
    untimed, _ = fitted(scores, rows, None, config)

    for found in (timed, untimed):
        assert found.column == 1
        assert found.factors["1"] / found.factors["0"] == pytest.approx(3, rel=0.2)


def test_a_column_with_too_many_values_is_refused():
    scores, rows, timeline = machines(300, np.ones(1))
    rows[:, 0] = np.arange(300)

    with pytest.raises(CalibrationError, match=r"'flow' has 300 values .*at most 200"):
        fitted(scores, rows, timeline, Contexts(by="column", column="flow"))


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match=r"'phase'.*choose from flow, mode"):
        fitted(*machines(300, np.ones(1)), Contexts(by="column", column="phase"))


@pytest.mark.parametrize("by", ["entity", "hour_of_week"])
def test_rows_without_time_have_neither_machine_nor_hour(by):
    scores, rows, _ = machines(300, np.ones(1))

    with pytest.raises(DataError, match="no time column"):
        fitted(scores, rows, None, Contexts(by=by))


@given(st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_changes_nothing(random):
    scores, rows, timeline = machines(200, np.array([1.0, 2.0, 0.5]))
    order = np.array(random.sample(range(len(scores)), len(scores)))

    found, fair = fitted(scores, rows, timeline)
    again, shuffled = fitted(scores[order], rows[order], subset(timeline, order))

    assert again.factors == pytest.approx(found.factors, rel=1e-9)
    np.testing.assert_allclose(shuffled, fair[order], rtol=1e-9)
    factor, known = factor_of(found, rows[order], subset(timeline, order))
    assert known.all()
    assert Counter(factor) == Counter(factor_of(found, rows, timeline)[0])
