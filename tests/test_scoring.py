import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pipeline
from pipeline.config import Contexts, Smoothing, Threshold
from pipeline.config.model import IsolationForestModel
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.filling import filling_of
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.calibration.contexts import ContextFactors
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.windows import windows
from pipeline.detector.training.fit import fit
from pipeline.errors import DataError
from pipeline.scoring import score_frame, score_rows
from pipeline.shifts import Shifted
from tests.detector.plant import (
    CHANNELS,
    SMALL,
    faulty_rows,
    normal_rows,
    plant_bundle,
    schema,
    timed,
)
from tests.station import nothing_out


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return plant_bundle(tmp_path_factory.mktemp("plant") / "bundle")


@pytest.fixture(scope="module")
def windowed_bundle(tmp_path_factory):
    shape = schema(window=3, timed=True, entity=True)
    fitted = fit(Block("train", timed(normal_rows(600, seed=1), machine="a")), shape, SMALL)
    held = timed(normal_rows(400, seed=2), start="2024-03-01", machine="a")
    calibration = calibrate(
        Block("calibration", held), shape, Graph(fitted.graph).score, Threshold()
    )
    folder = tmp_path_factory.mktemp("windowed") / "bundle"
    write_bundle(fitted, calibration, folder, name="w", provenance=Provenance({}, "", ""))
    return load_bundle(folder)


@pytest.fixture(scope="module")
def postprocessed_bundle(tmp_path_factory):
    """Windows of three rows, scores smoothed over four, machines on one level."""
    shape = schema(window=3, timed=True, entity=True)
    fitted = fit(Block("train", timed(normal_rows(600, seed=1), machine="a")), shape, SMALL)
    quiet, noisy = normal_rows(1500, seed=2), normal_rows(1500, seed=3)
    noisy["speed"] += np.random.default_rng(0).normal(0, 1500, len(noisy))
    held = [
        timed(frame, start="2024-03-01", machine=name)
        for frame, name in [(quiet, "a"), (noisy, "b")]
    ]
    calibration = calibrate(
        Block("calibration", pd.concat(held)),
        shape,
        Graph(fitted.graph).score,
        Threshold(),
        smoothing=Smoothing(rows=4),
        contexts=Contexts(by="entity", prior_rows=20),
    )
    folder = tmp_path_factory.mktemp("postprocessed") / "bundle"
    write_bundle(fitted, calibration, folder, name="f", provenance=Provenance({}, "", ""))
    return load_bundle(folder)


def test_each_row_gets_its_answer_under_its_own_index(bundle):
    frame = normal_rows(50).set_index(np.arange(100, 150))

    answers = score_frame(bundle, frame)

    assert list(answers) == ["score", "threshold", "is_anomaly"]
    assert list(answers.index) == list(frame.index)
    assert (answers["threshold"] == bundle.threshold).all()
    assert (answers["is_anomaly"] == (answers["score"] > bundle.threshold)).all()
    assert answers["is_anomaly"].dtype == bool


def test_many_faults_and_few_normal_rows_are_flagged(bundle):
    assert score_frame(bundle, faulty_rows(1000))["is_anomaly"].mean() > 0.2
    assert score_frame(bundle, normal_rows(5000, seed=8))["is_anomaly"].mean() < 0.03


def test_the_order_of_columns_and_other_columns_change_nothing(bundle):
    frame = normal_rows(20)
    shuffled = frame[list(reversed(CHANNELS))].assign(note="x", other=np.nan)

    pd.testing.assert_frame_equal(score_frame(bundle, shuffled), score_frame(bundle, frame))


def test_float32_and_float64_get_the_same_scores(bundle):
    frame = normal_rows(20).astype("float32")

    pd.testing.assert_frame_equal(
        score_frame(bundle, frame.astype("float64")), score_frame(bundle, frame)
    )


def test_whole_numbers_are_accepted(bundle):
    frame = normal_rows(20).round().astype("int64")

    pd.testing.assert_frame_equal(
        score_frame(bundle, frame), score_frame(bundle, frame.astype("float64"))
    )


def test_an_absent_column_is_named(bundle):
    with pytest.raises(DataError, match="absent: speed"):
        score_frame(bundle, normal_rows(5).drop(columns="speed"))


def test_a_missing_value_is_an_error_with_column_and_count(bundle):
    frame = normal_rows(20)
    frame.loc[[2, 5], "pressure"] = np.nan

    with pytest.raises(DataError, match=r"2 of 20 rows .* pressure \(2\)"):
        score_frame(bundle, frame)


def test_no_rows_get_no_answers(bundle):
    assert len(score_frame(bundle, normal_rows(0))) == 0


def test_rows_that_no_full_window_ends_at_have_no_score_and_no_flag(windowed_bundle):
    frame = timed(normal_rows(10), machine="a").drop(index=[5])

    answers = score_frame(windowed_bundle, frame)

    silent = answers["score"].isna()
    assert list(answers.index[silent]) == [0, 1, 6, 7]
    assert answers["is_anomaly"].isna().equals(silent)


def test_rows_of_two_machines_may_be_mixed(windowed_bundle):
    one = timed(normal_rows(30, seed=1), machine="a")
    two = timed(normal_rows(30, seed=2), machine="b")
    mixed = pd.concat([one, two], ignore_index=True).sample(frac=1, random_state=0)

    together = score_frame(windowed_bundle, mixed).sort_index()["score"]

    alone = pd.concat([score_frame(windowed_bundle, part)["score"] for part in (one, two)])
    np.testing.assert_allclose(together.to_numpy(), alone.to_numpy(), rtol=1e-5)


def test_windows_need_the_time_column(windowed_bundle):
    with pytest.raises(DataError, match="no column 'timestamp'"):
        score_frame(windowed_bundle, normal_rows(10).assign(machine="a"))


def muting(frame, *rows, channel="pressure"):
    """Shifts that mute only `channel`, in these rows."""
    muted = np.zeros((len(frame), len(CHANNELS)), dtype=bool)
    muted[list(rows), CHANNELS.index(channel)] = True
    return Shifted(
        channels=CHANNELS,
        columns=tuple((at,) for at in range(len(CHANNELS))),
        muted=muted,
        moved=np.zeros_like(muted),
        regime=np.zeros(len(frame), dtype=bool),
        raw=nothing_out(len(frame), len(CHANNELS)),
    )


def test_what_a_muted_channel_measures_is_irrelevant(bundle):
    frame = normal_rows(50)
    broken = frame.assign(pressure=frame["pressure"].where(frame.index < 20, 1e6))
    muted = muting(frame, *range(20, 50))

    found = score_rows(bundle, broken, muted)

    assert score_rows(bundle, broken).flagged[20:].all()
    np.testing.assert_array_equal(found.score, score_rows(bundle, frame, muted).score)


def test_a_muted_channel_adds_nothing_and_the_others_are_judged_on(bundle):
    frame = normal_rows(50)
    frame.loc[30:, "speed"] += 20_000

    found = score_rows(bundle, frame, muting(frame, *range(50)))

    assert (found.error[:, CHANNELS.index("pressure")] == 0).all()
    np.testing.assert_array_equal(found.score, found.error.sum(axis=1, dtype=np.float64))
    assert found.flagged[30:].all()


def test_a_muted_channel_is_filled_in_so_that_the_others_err_as_little_as_usual(bundle):
    """With the training mean in its place they err three times as much, as they move with it."""
    frame, others = normal_rows(1000, seed=8), [at for at, c in enumerate(CHANNELS) if c != "load"]

    found = score_rows(bundle, frame, muting(frame, *range(1000), channel="load"))

    usual = score_rows(bundle, frame).error[:, others].mean()
    assert found.error[:, others].mean() < 1.3 * usual


def test_the_network_is_shown_what_it_expects_of_a_muted_channel(bundle):
    frame = normal_rows(50)
    hidden = np.zeros((50, len(CHANNELS)), dtype=bool)
    hidden[10:20, CHANNELS.index("pressure")] = True

    found = score_rows(bundle, frame, muting(frame, *range(10, 20)))

    shown = filling_of(bundle).expected(feature_values(frame, bundle.schema), hidden)
    error = np.where(hidden, np.float32(0), bundle.score(shown).error)
    np.testing.assert_array_equal(found.error, error)


def test_a_score_without_a_channel_does_not_depend_on_the_other_rows_that_lack_one(bundle):
    frame = normal_rows(50)

    few, many = (score_rows(bundle, frame, muting(frame, *rows)) for rows in ([7], range(3, 40)))

    assert few.score[7] == many.score[7]
    assert few.score[8] != many.score[8]


def test_a_forest_expects_nothing_so_its_training_mean_takes_the_place_of_a_muted_channel(tmp_path):
    forest = IsolationForestModel(trees=20)
    fitted = fit(Block("train", normal_rows(600, seed=1)), schema(), forest)
    held = Block("calibration", normal_rows(400, seed=2))
    calibration = calibrate(held, schema(), Graph(fitted.graph).score, Threshold())
    write_bundle(fitted, calibration, tmp_path / "b", name="f", provenance=Provenance({}, "", ""))
    bundle, frame = load_bundle(tmp_path / "b"), normal_rows(50)

    found = score_rows(bundle, frame, muting(frame, *range(50)))

    mean = bundle.description.network.scaler.mean[CHANNELS.index("pressure")]
    neutral = score_rows(bundle, frame.assign(pressure=mean)).error
    neutral[:, CHANNELS.index("pressure")] = 0
    np.testing.assert_array_equal(found.error, neutral)


def test_muting_some_rows_leaves_the_others_as_they_are_to_the_last_bit(bundle):
    frame = normal_rows(50)

    found, plain = score_rows(bundle, frame, muting(frame, 3, 4)), score_rows(bundle, frame)

    same = np.flatnonzero(found.score == plain.score).tolist()
    assert same == [row for row in range(50) if row not in (3, 4)]


def test_a_window_does_without_a_channel_that_is_muted_in_any_of_its_rows(windowed_bundle):
    frame = timed(normal_rows(30), machine="a")
    broken = frame.assign(pressure=frame["pressure"].where(frame.index != 10, 1e6))

    found = score_rows(windowed_bundle, broken, muting(frame, 10))

    away = np.flatnonzero(found.error[:, CHANNELS.index("pressure")] == 0).tolist()
    assert away == [10, 11, 12]
    assert not found.flagged[9:14].any()
    before = frame.assign(pressure=frame["pressure"].where(frame.index != 9, 1e6))
    besides = score_rows(windowed_bundle, before, muting(frame, 10)).score
    np.testing.assert_array_equal(besides[10:12], found.score[10:12])
    assert besides[9] > found.score[9]


def test_a_loaded_bundle_keeps_the_postprocessing_of_its_scores(postprocessed_bundle):
    assert postprocessed_bundle.postprocessing.rows == 4
    factors = postprocessed_bundle.postprocessing.contexts.factors
    assert factors["b"] > 1.5 * factors["a"]
    assert postprocessed_bundle.reach == 6


def test_scores_are_smoothed_and_divided_and_the_errors_still_add_up(postprocessed_bundle):
    frame = timed(normal_rows(30), machine="b")
    values = feature_values(frame, postprocessed_bundle.schema)
    raw = postprocessed_bundle.score(
        windows(values, 3, timeline_of(frame, postprocessed_bundle.schema)).rows
    )

    found = score_rows(postprocessed_bundle, frame)

    factor = postprocessed_bundle.postprocessing.contexts.factors["b"]
    assert found.score[29] == pytest.approx(raw.score[-4:].mean() / factor, rel=1e-5)
    np.testing.assert_allclose(found.error[2:].sum(axis=1), found.score[2:], rtol=1e-5)


def test_days_scored_with_the_rows_before_them_get_what_they_get_together(postprocessed_bundle):
    frame = pd.concat(
        [timed(normal_rows(300, seed=seed), machine=name) for name, seed in [("a", 1), ("b", 2)]]
    ).sort_values(["timestamp", "machine"], ignore_index=True)
    together = score_frame(postprocessed_bundle, frame)["score"].to_numpy()

    for cut in (7, 100, 333):
        back = 2 * (postprocessed_bundle.reach - 1)
        first = max(0, cut - back)
        alone = score_frame(postprocessed_bundle, frame[first:])["score"].to_numpy()
        np.testing.assert_allclose(alone[cut - first :], together[cut:], rtol=1e-5)


def test_a_machine_that_the_calibration_did_not_know_is_judged_and_counted(postprocessed_bundle):
    known, other = timed(normal_rows(30), machine="b"), timed(normal_rows(30), machine="x")

    found, same = score_rows(postprocessed_bundle, other), score_rows(postprocessed_bundle, known)

    factor = postprocessed_bundle.postprocessing.contexts.factors["b"]
    assert not found.known[found.complete].any()
    assert same.known.all()
    np.testing.assert_allclose(found.score, same.score * factor, rtol=1e-9)


def test_a_window_belongs_to_the_context_of_its_last_row(windowed_bundle):
    frame = timed(normal_rows(30), machine="a")
    frame["load"] = np.tile([0.0, 0.0, 1.0, 0.0, 1.0], 6)
    by_load = ContextFactors("column", CHANNELS.index("load"), {"0": 1.0, "1": 4.0})
    description = replace(windowed_bundle.description, finish=ScorePostprocessing(contexts=by_load))

    found = score_rows(replace(windowed_bundle, description=description), frame).score

    plain = score_rows(windowed_bundle, frame).score
    factor = np.where(frame["load"] == 1, 4.0, 1.0)
    np.testing.assert_allclose(found[2:], plain[2:] / factor[2:], rtol=1e-6)


def test_a_muted_channel_counts_in_no_score_that_it_would_be_averaged_into(postprocessed_bundle):
    frame = timed(normal_rows(40), machine="a")
    broken = frame.assign(pressure=frame["pressure"].where(frame.index != 20, 1e6))

    found = score_rows(postprocessed_bundle, broken, muting(frame, 20))

    np.testing.assert_array_equal(
        found.score, score_rows(postprocessed_bundle, frame, muting(frame, 20)).score
    )
    assert not found.flagged[18:30].any()


def test_raw_scores_are_never_compared_with_the_threshold():
    """Rows are scored by `pipeline.scoring`; these modules also apply `bundle.postprocessing`."""
    root = Path(pipeline.__file__).parent
    raw = re.compile(r"\b(bundle|graph)\.score\b")
    callers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if raw.search(path.read_text(encoding="utf-8"))
    }

    assert callers == {
        "detector/attribution.py",
        "detector/bundle/bundle.py",
        "evaluation/file_order.py",
        "scoring.py",
        "steps/recalibration_facts.py",
        "tuning/trying.py",
    }
