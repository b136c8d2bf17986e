"""Scores averaged over unbroken runs: the same however the rows are cut, and earlier on faults."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.timeline import Timeline, runs, subset
from pipeline.detector.calibration.postprocessing import (
    Runs,
    ScorePostprocessing,
    leading_up,
    postprocess,
    smooth,
)
from pipeline.detector.thresholds import conformal
from pipeline.errors import DataError

MINUTE = 60_000_000_000


def timeline_of(minutes, entity=None):
    minutes = np.asarray(minutes)
    entity = np.zeros(len(minutes), dtype=np.intp) if entity is None else np.asarray(entity)
    return Timeline(minutes * MINUTE, entity, ("a", "b"), MINUTE)


def smoothed(values, timeline, rows):
    return smooth(np.asarray(values, dtype=float), Runs(*runs(timeline)), rows)


def test_a_score_is_the_mean_of_the_last_rows_and_the_first_ones_use_what_there_is():
    assert smoothed([3, 1, 2, 6], timeline_of(range(4)), 3).tolist() == [3, 2, 2, 3]


def test_neither_a_gap_nor_another_machine_is_averaged_over():
    gap = smoothed([8, 2, 4, 6], timeline_of([0, 1, 5, 6]), 3)
    other = smoothed([8, 2, 4, 6], timeline_of([0, 1, 0, 1], [0, 0, 1, 1]), 3)

    assert gap.tolist() == other.tolist() == [8, 5, 4, 5]


def test_smoothed_errors_still_add_up_to_the_smoothed_score():
    error = np.random.default_rng(0).exponential(size=(50, 4)).astype(np.float32)

    done = postprocess(
        error.sum(axis=1), error, error, timeline_of(range(50)), ScorePostprocessing(rows=5)
    )

    np.testing.assert_allclose(done.error.sum(axis=1), done.score, rtol=1e-6)


def test_one_row_is_left_as_it_is():
    score, error = np.float32([1, 2]), np.ones((2, 3), dtype=np.float32)

    done = postprocess(score, error, error, None, ScorePostprocessing())

    assert done.score.tolist() == [1, 2]
    assert done.error is error


def test_rows_without_time_cannot_be_smoothed():
    error = np.ones((5, 1), dtype=np.float32)

    with pytest.raises(DataError, match=r"no time column.*smoothing\.rows to 1"):
        postprocess(error[:, 0], error, error, None, ScorePostprocessing(rows=2))


@st.composite
def scored_rows(draw):
    n = draw(st.integers(1, 60))
    minutes = np.cumsum(draw(st.lists(st.sampled_from([1, 1, 1, 4]), min_size=n, max_size=n)))
    entity = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    values = draw(st.lists(st.floats(0, 1e6), min_size=n, max_size=n))
    return np.array(values), timeline_of(minutes, entity)


@given(scored_rows(), st.integers(1, 9), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_changes_nothing_to_the_last_bit(rows, length, random):
    values, timeline = rows
    order = np.array(random.sample(range(len(values)), len(values)))

    shuffled = smoothed(values[order], subset(timeline, order), length)

    np.testing.assert_array_equal(shuffled, smoothed(values, timeline, length)[order])


@given(scored_rows(), st.integers(1, 9), st.integers(0, 60))
@settings(deadline=None)
def test_a_stretch_with_the_rows_before_it_gets_what_the_whole_gets(rows, length, cut):
    values, timeline = rows
    # A day is scored with the rows of the look-back before it, whose own scores are not used.
    first = timeline.time_ns.min() + cut * MINUTE
    seen = timeline.time_ns > first - 1.5 * (length - 1) * MINUTE - MINUTE
    own = timeline.time_ns >= first

    alone = smoothed(values[seen], subset(timeline, seen), length)[own[seen]]

    np.testing.assert_array_equal(alone, smoothed(values, timeline, length)[own])


def test_the_rows_that_lead_up_to_a_row_are_those_of_its_mean():
    timeline = timeline_of([0, 1, 2, 3, 9, 10])
    wanted = np.array([False, False, False, True, False, True])

    found = leading_up(wanted, Runs(*runs(timeline)), 3)

    assert found.tolist() == [False, True, True, True, True, True]


def test_a_lasting_fault_under_noise_is_caught_earlier_at_the_same_rate_of_false_alarms():
    random = np.random.default_rng(3)
    normal, timeline = random.chisquare(4, size=20_000), timeline_of(range(20_000))
    faulty = random.chisquare(4, size=(400, 120)) * 1.8
    episodes = Runs(np.arange(400 * 120), np.repeat(np.arange(400), 120))
    first, rate = {}, {}
    for rows in (1, 6):
        held = smoothed(normal, timeline, rows)
        estimate = conformal.estimate(held[:10_000], alpha=0.01, n_effective=10_000)
        rate[rows] = float(np.mean(held[10_000:] > estimate.value))
        found = smooth(faulty.ravel(), episodes, rows).reshape(400, 120) > estimate.value
        first[rows] = float(np.where(found.any(axis=1), found.argmax(axis=1), 120).mean())

    assert rate[6] == pytest.approx(0.01, abs=0.005)
    assert rate[1] == pytest.approx(0.01, abs=0.005)
    assert first[6] < 0.75 * first[1]
