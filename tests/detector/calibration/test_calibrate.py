import numpy as np
import pandas as pd
import pytest

from pipeline.config import Contexts, Smoothing, Threshold
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import NORMAL
from pipeline.data.split import Block
from pipeline.detector.calibration.calibrate import calibrate, estimate_threshold
from pipeline.detector.calibration.kept_rows import MOST_GOLDEN as GOLDEN_ROWS
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.detector.inputs.scored import WindowScores
from pipeline.errors import CalibrationError, DataError, SplitReuseError
from tests.detector.plant import CHANNELS, normal_rows, schema, timed


def by_load(rows):
    """A stand-in for a network: the score is the first channel."""
    return WindowScores(np.exp(rows[:, 0]), np.abs(rows[:, : len(CHANNELS)]))


def waves(n, rho, *, seed=0):
    """Rows whose load is like the load before it."""
    frame = normal_rows(n, seed=seed)
    load = np.zeros(n)
    news = np.random.default_rng(seed).normal(size=n)
    for i in range(1, n):
        load[i] = rho * load[i - 1] + news[i]
    return timed(frame.assign(load=load))


def test_a_training_block_is_refused():
    with pytest.raises(SplitReuseError, match="train block"):
        calibrate(Block("train", normal_rows(200)), schema(), by_load, Threshold())


def test_independent_rows_count_in_full():
    calibration = calibrate(Block("calibration", normal_rows(500)), schema(), by_load, Threshold())

    assert calibration.threshold.n == calibration.threshold.n_effective == 500
    assert calibration.summary.autocorrelation == 0


def test_rows_that_are_like_their_neighbours_count_for_less():
    block = Block("calibration", waves(4000, 0.8))

    calibration = calibrate(block, schema(timed=True), by_load, Threshold())

    assert calibration.summary.autocorrelation == pytest.approx(0.8, abs=0.05)
    assert calibration.threshold.n_effective == pytest.approx(4000 / 7, rel=0.25)


def test_the_intervals_widen_when_rows_are_alike():
    alike, independent = (
        calibrate(Block("calibration", waves(3000, rho)), schema(timed=True), by_load, Threshold())
        for rho in (0.9, 0.0)
    )

    width = [np.ptp(calibration.threshold.rate_interval) for calibration in (alike, independent)]
    assert width[0] > 2 * width[1]


def test_too_few_rows_are_refused_with_value_limit_and_fix():
    block = Block("calibration", normal_rows(98))

    with pytest.raises(CalibrationError, match=r"98 calibration .* at least 99 .*small_sample"):
        calibrate(block, schema(), by_load, Threshold())


def test_too_few_effective_rows_give_a_threshold_of_low_confidence():
    calibration = calibrate(
        Block("calibration", waves(600, 0.95)), schema(timed=True), by_load, Threshold()
    )

    assert calibration.threshold.method == "conformal"
    assert calibration.threshold.n_effective < 99
    assert calibration.threshold.low_confidence


def test_a_hill_threshold_on_few_rows_is_marked_low_confidence():
    few = np.exp(np.random.default_rng(0).normal(size=60))

    estimate = estimate_threshold(few, Threshold(small_sample="hill"), n_effective=60)

    assert estimate.method == "hill"
    assert estimate.low_confidence
    assert "Low confidence" in estimate.note


def test_a_thousand_effective_rows_need_no_note_and_fewer_do():
    scores = np.random.default_rng(0).exponential(size=2000)

    assert estimate_threshold(scores, Threshold(), n_effective=1000).note == ""
    assert "true rate" in estimate_threshold(scores, Threshold(), n_effective=999).note


def test_a_score_that_is_not_a_number_is_an_error():
    scores = np.ones(500)
    scores[3] = np.nan

    with pytest.raises(CalibrationError, match="1 of 500"):
        estimate_threshold(scores, Threshold(), n_effective=500)


def test_the_sample_for_drift_keeps_the_order_of_time_and_whole_stretches():
    frame = pd.concat(
        [waves(6000, 0.5), waves(6000, 0.5, seed=1)], keys=["a", "b"], names=["machine"]
    )
    frame = frame.reset_index("machine").sample(frac=1, random_state=0)

    calibration = calibrate(
        Block("calibration", frame), schema(timed=True, entity=True), by_load, Threshold()
    )

    timeline = calibration.reference.timeline
    assert len(calibration.reference.score) == 5000
    assert set(timeline.names) == {"a", "b"}
    steps = np.diff(timeline.time_ns)[np.diff(timeline.entity) == 0]
    assert (steps > 0).all()
    assert np.mean(steps == timeline.cadence_ns) > 0.98


def test_golden_rows_lie_at_or_below_the_threshold():
    calibration = calibrate(Block("calibration", normal_rows(3000)), schema(), by_load, Threshold())

    assert len(calibration.golden.score) == GOLDEN_ROWS
    assert calibration.golden.score.max() <= calibration.threshold.value


def two_pumps(n):
    """Pump b's load swings more widely."""
    one, two = (
        timed(normal_rows(n, seed=seed), machine=name) for name, seed in [("a", 1), ("b", 2)]
    )
    return pd.concat([one, two.assign(load=2 * two["load"])], ignore_index=True)


def test_the_threshold_is_estimated_from_smoothed_scores_and_the_bundle_keeps_the_smoothing():
    plain, smoothed = (
        calibrate(
            Block("calibration", waves(3000, 0.0)),
            schema(timed=True),
            by_load,
            Threshold(),
            smoothing=Smoothing(rows=rows),
        )
        for rows in (1, 6)
    )

    assert smoothed.threshold.value < 0.8 * plain.threshold.value
    assert smoothed.summary.quantiles["0.99"] < 0.8 * plain.summary.quantiles["0.99"]
    assert smoothed.postprocessing == ScorePostprocessing(rows=6)


def test_golden_rows_keep_what_the_graph_gives():
    frame = waves(500, 0.5)

    calibration = calibrate(
        Block("calibration", frame),
        schema(timed=True),
        by_load,
        Threshold(),
        smoothing=Smoothing(rows=4),
    )

    np.testing.assert_array_equal(calibration.golden.score, by_load(calibration.golden.rows).score)


def test_machines_are_brought_to_one_level_and_the_threshold_is_cross_fitted():
    calibration = calibrate(
        Block("calibration", two_pumps(3000)),
        schema(timed=True, entity=True),
        by_load,
        Threshold(),
        contexts=Contexts(by="entity"),
    )

    factors = calibration.postprocessing.contexts.factors
    assert factors["b"] > 1.3 * factors["a"]
    score, entity = calibration.reference.score, calibration.reference.timeline.entity
    above = [float(np.mean(score[entity == each] > calibration.threshold.value)) for each in (0, 1)]
    assert above == pytest.approx([0.01, 0.01], abs=0.007)


def test_smoothing_rows_without_time_is_refused():
    with pytest.raises(DataError, match=r"smoothing\.rows"):
        calibrate(
            Block("calibration", normal_rows(200)),
            schema(),
            by_load,
            Threshold(),
            smoothing=Smoothing(rows=2),
        )


def with_episodes(n, episodes, *, rho=0.5, height=4.0):
    """Waves, with episodes of that many rows each in which the load is far too high."""
    frame = waves(n, rho)
    load = frame["load"].to_numpy(copy=True)
    for number, rows in enumerate(episodes):
        load[400 * (number + 1) :][:rows] += height
    return frame.assign(load=load)


def test_sustained_episodes_do_not_raise_the_threshold():
    clean, faulty = (
        calibrate(
            Block("calibration", with_episodes(3000, rows)),
            schema(timed=True),
            by_load,
            Threshold(),
        )
        for rows in ((), (17, 23, 40))
    )

    assert faulty.threshold.value == pytest.approx(clean.threshold.value, rel=0.1)
    assert faulty.summary.rows + faulty.summary.held.rows == 3000
    assert faulty.summary.drawn_between[1] <= clean.summary.drawn_between[1]
    assert faulty.reference.score.max() <= clean.reference.score.max()
    assert faulty.golden.score.max() <= faulty.threshold.value


def test_held_episodes_are_counted_and_listed_with_machine_and_span():
    one = with_episodes(2000, (40, 20)).assign(machine="a")
    two = waves(2000, 0.5, seed=3).assign(machine="b")

    held = calibrate(
        Block("calibration", pd.concat([one, two], ignore_index=True)),
        schema(timed=True, entity=True),
        by_load,
        Threshold(),
    ).summary.held

    first = held.longest[0]
    start = one["timestamp"].iloc[400]
    assert held.rows == pytest.approx(60, abs=12)
    assert first.entity == "a"
    assert first.rows == pytest.approx(40, abs=5)
    assert abs(pd.Timestamp(first.start) - start) <= pd.Timedelta("30min")


def test_an_episode_that_a_person_has_called_normal_counts():
    frame = with_episodes(3000, (40,))
    verdict = np.zeros(3000, dtype=np.int8)
    verdict[400:440] = NORMAL

    known, unknown = (
        calibrate(Block("calibration", each), schema(timed=True), by_load, Threshold())
        for each in (frame.assign(**{LABEL_COLUMN: verdict}), frame)
    )

    assert known.summary.held.rows < 5  # its neighbour
    assert unknown.summary.held.rows > 30
    assert known.threshold.value > unknown.threshold.value


def test_isolated_flags_stay():
    frame = waves(3000, 0.0)
    load = frame["load"].to_numpy(copy=True)
    load[::100] = 6.0  # as many as the threshold lets pass

    summary = calibrate(
        Block("calibration", frame.assign(load=load)), schema(timed=True), by_load, Threshold()
    ).summary

    assert summary.held.rows < 10
    assert summary.drawn_between[1] >= np.exp(6.0) - 1


def test_clean_rows_lose_next_to_nothing():
    lost = [
        calibrate(
            Block("calibration", waves(2160, 0.5, seed=seed)),
            schema(timed=True),
            by_load,
            Threshold(),
        ).summary.held.rows
        for seed in range(20)
    ]

    assert np.mean(lost) / 2160 < 0.001


def test_without_time_nothing_is_held_back_and_the_summary_says_so():
    summary = calibrate(
        Block("calibration", normal_rows(500)), schema(), by_load, Threshold()
    ).summary

    assert summary.held is None
    assert summary.rows == 500


def test_a_noisy_machine_is_no_episode():
    calibration = calibrate(
        Block("calibration", two_pumps(2000)),
        schema(timed=True, entity=True),
        by_load,
        Threshold(),
        contexts=Contexts(by="entity"),
    )

    assert calibration.summary.held.rows < 20
