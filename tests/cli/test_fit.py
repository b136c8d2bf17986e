import json

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.cli import main
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.incidents.judging import fitted_columns
from pipeline.scoring import score_frame
from tests.detector.plant import CHANNELS, SMALL, normal_rows, timed

FEATURES = {name: {"unit": "1"} for name in CHANNELS}


@pytest.fixture(autouse=True)
def small_default(monkeypatch):
    """A small network: these tests are about the rows, and the default network takes seconds."""
    monkeypatch.setattr("pipeline.cli.blocks.DenoisingModel", lambda: SMALL)


def save(frame, path):
    frame.to_parquet(path)
    return str(path)


def spec(path, **sections):
    content = {
        "name": path.stem,
        "source": {"kind": "parquet", "path": "nowhere.parquet"},
        "schema": {"cadence": "10min", "features": FEATURES},
        "model": {"family": "denoising", "members": 2, "width": 16, "steps": 60},
        "schedule": {"start": "2024-01-01"},
        **sections,
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def fit(tmp_path, frame, *more):
    train = save(frame, tmp_path / "train.parquet")
    return main(["fit", "--train", train, "--out", str(tmp_path / "bundle"), *more])


def test_every_numeric_column_is_a_feature_and_the_rest_is_named(tmp_path, capsys):
    frame = timed(normal_rows(700)).assign(site="x", is_open=True, eval_fault=1.0, count=1)

    code = fit(tmp_path, frame)

    shown = capsys.readouterr()
    bundle = load_bundle(tmp_path / "bundle")
    assert code == 0
    assert bundle.schema.features == (*CHANNELS, "count")
    assert bundle.schema.timestamp == "timestamp"
    assert bundle.schema.cadence_s == 600
    assert "site (string" in shown.err or "site (large_string" in shown.err
    assert "is_open (bool)" in shown.err
    assert "eval_fault" in shown.err


def test_a_part_of_the_rows_is_held_out_for_the_threshold(tmp_path):
    fit(tmp_path, normal_rows(2000))

    description = load_bundle(tmp_path / "bundle").description
    network = description.network
    assert description.threshold.n == 2000 // 6
    assert network.rows_train + network.rows_validation + description.threshold.n == 2000


def test_small_data_still_get_a_conformal_threshold_when_half_of_them_suffice(tmp_path):
    fit(tmp_path, normal_rows(220))

    threshold = load_bundle(tmp_path / "bundle").description.threshold
    assert (threshold.method, threshold.n) == ("conformal", 99)


def test_very_small_data_get_a_low_confidence_threshold_and_a_warning(tmp_path, capsys):
    code = fit(tmp_path, normal_rows(120))

    threshold = load_bundle(tmp_path / "bundle").description.threshold
    assert code == 0
    assert (threshold.method, threshold.low_confidence) == ("hill", True)
    assert "warning: Low confidence" in capsys.readouterr().err


def test_the_same_file_gives_the_same_bundle(tmp_path):
    digests = []
    for _ in range(2):
        fit(tmp_path, normal_rows(300))
        digests.append(load_bundle(tmp_path / "bundle").digest)

    assert digests[0] == digests[1]


def test_missing_values_are_refused_by_column_and_count_and_nothing_is_written(tmp_path, capsys):
    frame = normal_rows(300)
    frame.loc[:69, "flow"] = np.nan
    frame.loc[0, "speed"] = np.inf

    code = fit(tmp_path, frame)

    error = capsys.readouterr().err
    assert code == 2
    assert "train.parquet: 70 of 300 rows" in error
    assert "speed (1), flow (70)" in error
    assert "drop these rows" in error
    assert "20% may be left out (validation.maximum_rejected)" in error
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 1e-300])
def test_a_few_rows_without_a_number_are_left_out_and_counted(tmp_path, capsys, value):
    frame = normal_rows(700)
    frame.loc[:6, "flow"] = value
    frame.loc[0, "speed"] = np.inf

    code = fit(tmp_path, frame)

    assert code == 0
    assert "warning: 7 of 700 rows left out" in capsys.readouterr().err
    bundle = load_bundle(tmp_path / "bundle")
    network = bundle.description.network
    assert network.rows_train + network.rows_validation + bundle.description.threshold.n == 693
    assert abs(network.scaler.mean[2]) < 1


def test_how_many_rows_may_be_left_out_is_what_the_spec_says(tmp_path, capsys):
    frame = timed(normal_rows(700))
    frame.loc[:6, "flow"] = np.nan
    detector = spec(tmp_path / "plant.yaml", validation={"maximum_rejected": 0.005})

    code = fit(tmp_path, frame, "--detector", detector)

    assert code == 2
    assert "7 of 700 rows" in capsys.readouterr().err


def test_rows_without_a_number_are_nobodys_peers(tmp_path, capsys):
    frame = pd.concat(
        [timed(normal_rows(700, seed=seed), machine=f"m{seed}") for seed in range(3)],
        ignore_index=True,
    )
    frame.loc[:6, "load"] = np.inf
    detector = spec(
        tmp_path / "plant.yaml",
        schema={
            "cadence": "10min",
            "entity": "machine",
            "features": FEATURES,
            "derived": [{"kind": "peer_deviation", "of": ["load"]}],
        },
    )

    assert fit(tmp_path, frame, "--detector", detector) == 0

    assert "7 of 2,100 rows left out" in capsys.readouterr().err


@pytest.mark.parametrize("offset", [1e5, 1e9, -1e9, 1e13])
@pytest.mark.parametrize("timed_rows", [False, True], ids=["plain", "timed"])
def test_a_large_offset_changes_no_judgement(tmp_path, capsys, offset, timed_rows):
    rows, faulty = normal_rows(900), normal_rows(200, seed=7)
    faulty.loc[:19, "load"] += 30
    answers = []
    for shift in (0.0, offset):
        frames = [frame.assign(load=frame["load"] + shift) for frame in (rows, faulty)]
        frames = [timed(frame) for frame in frames] if timed_rows else frames
        assert fit(tmp_path, frames[0]) == 0
        out, data = str(tmp_path / "o.parquet"), save(frames[1], tmp_path / "d.parquet")
        bundle = str(tmp_path / "bundle")
        assert (
            main(["score", "--bundle", bundle, "--data", data, "--out", out]) == 3
        )  # one in ten is faulty
        answers.append(pd.read_parquet(out))
        scored = score_frame(load_bundle(tmp_path / "bundle"), frames[1])
        pd.testing.assert_series_equal(scored["score"], answers[-1]["score"])

    plain, shifted = answers
    assert f"load: moves too little for so large numbers; {offset:.15g} is sub" in (
        capsys.readouterr().err
    )
    assert shifted["is_anomaly"][:20].all()
    assert (plain["is_anomaly"] == shifted["is_anomaly"]).mean() > 0.98
    assert load_bundle(tmp_path / "bundle").schema.features[0].startswith("load_")


def test_a_calibration_file_has_the_same_offset_subtracted(tmp_path):
    rows, held = (
        frame.assign(load=frame["load"] + 1e9)
        for frame in (normal_rows(800), normal_rows(500, seed=3))
    )
    calibration = save(held, tmp_path / "held.parquet")

    assert fit(tmp_path, rows, "--calibration", calibration) == 0

    description = load_bundle(tmp_path / "bundle").description
    assert description.threshold.n == 500
    assert abs(description.network.scaler.mean[0]) < 10


def test_a_spec_without_the_offset_is_refused_in_the_words_of_ingestion(tmp_path, capsys):
    frame = timed(normal_rows(700)).assign(load=lambda rows: rows["load"] + 1e9)
    detector = spec(tmp_path / "plant.yaml")

    code = fit(tmp_path, frame, "--detector", detector)

    printed = capsys.readouterr().err
    assert code == 2
    assert "load lies at 1000000000" in printed
    assert "set offset: 1000000000 in schema.features.load" in printed


def test_a_spec_with_the_offset_scores_raw_rows(tmp_path):
    features = {**FEATURES, "load": {"unit": "1", "offset": 1e9}}
    detector = spec(tmp_path / "plant.yaml", schema={"cadence": "10min", "features": features})
    frame, faulty = timed(normal_rows(900)), timed(normal_rows(200, seed=7))
    faulty.loc[:19, "load"] += 30
    frame["load"], faulty["load"] = frame["load"] + 1e9, faulty["load"] + 1e9

    assert fit(tmp_path, frame, "--detector", detector) == 0

    bundle = load_bundle(tmp_path / "bundle")
    answers = score_frame(bundle, faulty)
    assert "load_minus_1000000000" in bundle.schema.features
    assert answers["is_anomaly"][:20].all()
    assert answers["is_anomaly"][20:].mean() < 0.1
    assert fitted_columns(bundle).features["load"].offset == 1e9


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_a_column_of_any_size_can_be_watched(tmp_path, scale):
    frame, faulty = normal_rows(900), normal_rows(200, seed=7)
    faulty.loc[:19, "load"] += 30
    frame["load"], faulty["load"] = frame["load"] * scale, faulty["load"] * scale

    assert fit(tmp_path, frame) == 0

    answers = score_frame(load_bundle(tmp_path / "bundle"), faulty)
    assert answers["is_anomaly"][:20].all()
    assert answers["is_anomaly"][20:].mean() < 0.1


def test_a_column_too_small_for_float32_is_refused_by_name(tmp_path, capsys):
    code = fit(tmp_path, normal_rows(900).assign(load=lambda rows: rows["load"] * 1e-41))

    assert code == 2
    assert "deliver load in a smaller unit" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["label", "Labels", "IS_ANOMALY", "isOutlier", "Class", "y", "attack_label", "Fault"]
)
def test_a_column_named_like_a_label_is_no_feature(tmp_path, capsys, name):
    frame = normal_rows(700).assign(**{name: [0, 1] * 350})

    fit(tmp_path, frame)

    shown = capsys.readouterr()
    assert load_bundle(tmp_path / "bundle").schema.features == CHANNELS
    assert f"ignored, named like a label: {name}" in shown.err
    assert f"Features: {', '.join(CHANNELS)}." in shown.out


def test_beside_an_x_a_y_is_a_coordinate(tmp_path):
    rows = normal_rows(700).rename(columns={"load": "x", "speed": "y"})

    fit(tmp_path, rows)

    assert load_bundle(tmp_path / "bundle").schema.features[:2] == ("x", "y")


def test_a_label_that_the_spec_lists_is_a_feature(tmp_path):
    features = {**FEATURES, "target": {"unit": "1"}}
    detector = spec(tmp_path / "plant.yaml", schema={"cadence": "10min", "features": features})
    frame = timed(normal_rows(700)).assign(target=lambda rows: rows["load"] + 1)

    fit(tmp_path, frame, "--detector", detector)

    assert "target" in load_bundle(tmp_path / "bundle").schema.features


def test_a_separate_calibration_file_gives_the_threshold(tmp_path):
    held = save(normal_rows(500, seed=3), tmp_path / "held.parquet")

    fit(tmp_path, normal_rows(800), "--calibration", held)

    description = load_bundle(tmp_path / "bundle").description
    assert description.threshold.n == 500
    assert description.network.rows_train + description.network.rows_validation == 800
    assert description.provenance.data["calibration"]["rows"] == 500


def test_the_training_file_cannot_calibrate(tmp_path, capsys):
    code = fit(tmp_path, normal_rows(300), "--calibration", str(tmp_path / "train.parquet"))

    assert code == 2
    assert "same content" in capsys.readouterr().err


def test_calibration_rows_of_a_training_time_are_refused(tmp_path, capsys):
    frame = timed(normal_rows(600))
    overlapping = save(frame.iloc[400:].assign(load=1.0), tmp_path / "held.parquet")

    code = fit(tmp_path, frame, "--calibration", overlapping)

    assert code == 2
    assert "200 of 200 rows have the timestamp of a training row" in capsys.readouterr().err


def test_identical_rows_without_time_are_warned_about(tmp_path, capsys):
    frame = normal_rows(600)
    copied = save(frame.iloc[:200], tmp_path / "held.parquet")

    code = fit(tmp_path, frame, "--calibration", copied)

    assert code == 0
    assert "100% of the calibration rows are identical" in capsys.readouterr().err


def test_a_spec_decides_features_window_and_entity(tmp_path):
    frame = pd.concat([timed(normal_rows(900, seed=s), machine=m) for s, m in [(1, "a"), (2, "b")]])
    detector = spec(
        tmp_path / "plant.yaml",
        schema={"cadence": "10min", "entity": "machine", "features": FEATURES},
        window={"length": 2},
    )

    code = fit(tmp_path, frame, "--detector", detector)

    bundle = load_bundle(tmp_path / "bundle")
    assert code == 0
    assert (bundle.schema.window, bundle.schema.entity) == (2, "machine")
    assert bundle.description.name == "plant"


def test_a_spec_with_angles_and_peers_computes_them_from_raw_columns(tmp_path):
    frame = pd.concat([timed(normal_rows(900, seed=s), machine=m) for s, m in [(1, "a"), (2, "b")]])
    frame["yaw"] = np.random.default_rng(0).uniform(0, 360, len(frame))
    detector = spec(
        tmp_path / "plant.yaml",
        schema={
            "cadence": "10min",
            "entity": "machine",
            "features": {**FEATURES, "yaw": {"unit": "deg", "circular": True}},
            "derived": [{"kind": "peer_deviation", "of": ["load"]}],
        },
    )

    code = fit(tmp_path, frame, "--detector", detector)

    assert code == 0
    features = load_bundle(tmp_path / "bundle").schema.features
    assert features[-3:] == ("yaw_sin", "yaw_cos", "load_vs_peers")


DRAW = np.random.default_rng(3).normal(size=1500)
TAIL = np.exp(2 * DRAW)


@pytest.mark.parametrize("timed_rows", [False, True], ids=["plain", "timed"])
@pytest.mark.parametrize(
    "columns",
    [
        {"v": DRAW},
        {"v": TAIL},
        {"v": np.random.default_rng(1).gamma(2, 30, size=1500)},
        {"v": (DRAW > 0).astype(int)},
        {"a": DRAW, "b": DRAW},
        {"a": TAIL, "b": 3 * TAIL, "c": 7 - TAIL},
        {"a": DRAW, "k": np.full(1500, 5.0)},
        {"a": DRAW, "k": np.zeros(1500)},
    ],
    ids=["normal", "tail", "gamma", "binary", "twice", "collinear", "constant", "zero"],
)
def test_columns_of_every_shape_can_be_watched(tmp_path, columns, timed_rows):
    frame = timed(pd.DataFrame(columns)) if timed_rows else pd.DataFrame(columns)
    first = next(iter(columns))
    faulty = frame.head(300).astype({first: float})
    faulty.loc[:19, first] = frame[first].max() + 10 * frame[first].std()

    code = fit(tmp_path, frame)
    bundle, data = str(tmp_path / "bundle"), save(faulty, tmp_path / "data.parquet")
    scored = main(
        ["score", "--bundle", bundle, "--data", data, "--out", str(tmp_path / "out.parquet")]
    )

    flags = pd.read_parquet(tmp_path / "out.parquet")["is_anomaly"]
    assert (code, scored) == (0, 3), "one row in fifteen is faulty"
    assert flags[:20].all()
    assert flags[20:].mean() < 0.05


def test_a_file_in_which_nothing_changes_is_refused(tmp_path, capsys):
    code = fit(tmp_path, pd.DataFrame({"a": np.ones(1500), "b": np.zeros(1500)}))

    assert code == 2
    assert "Every feature that is judged is constant in all" in capsys.readouterr().err


def marked(tmp_path):
    return spec(
        tmp_path / "plant.yaml",
        schema={
            "cadence": "10min",
            "features": FEATURES,
            "evaluation_only": ["eval_down"],
            "exclude_from_training": ["eval_down"],
        },
    )


@pytest.mark.parametrize(("yes", "no"), [(True, False), ("Y", "N"), ("on", ""), (1.0, np.nan)])
def test_rows_that_a_spec_excludes_do_not_train(tmp_path, capsys, yes, no):
    frame = timed(normal_rows(900)).assign(eval_down=[yes] * 50 + [no] * 850)

    fit(tmp_path, frame, "--detector", marked(tmp_path))

    assert "50 rows left out" in capsys.readouterr().err
    description = load_bundle(tmp_path / "bundle").description
    assert description.threshold.n + description.network.rows_train < 851


def test_an_evaluation_column_that_is_neither_true_nor_false_is_refused_by_name(tmp_path, capsys):
    frame = timed(normal_rows(900)).assign(eval_down=["outage"] * 50 + ["ok"] * 850)

    code = fit(tmp_path, frame, "--detector", marked(tmp_path))

    printed = capsys.readouterr().err
    assert code == 2
    assert "eval_down holds 'outage', 'ok' in 900 of 900 rows, which is neither true nor" in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("text", "not a readable Parquet file"),
        (pd.DataFrame({"a": []}), "holds no rows"),
        (pd.DataFrame({"name": ["x", "y"]}), "no numeric column"),
        (normal_rows(5), "at least"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_message(tmp_path, capsys, content, message):
    path = tmp_path / "train.parquet"
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    elif content:
        path.write_text(content)

    code = main(["fit", "--train", str(path), "--out", str(tmp_path / "bundle")])

    assert code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_a_folder_with_other_files_is_not_replaced(tmp_path, capsys):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("years of work")

    code = fit(tmp_path, normal_rows(300))

    assert code == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "bundle" / "thesis.txt").exists()


def test_detector_json_is_readable_by_anyone(tmp_path):
    fit(tmp_path, normal_rows(300))

    content = json.loads((tmp_path / "bundle" / "detector.json").read_text())
    assert content["schema_version"] == 2
    assert content["network"]["schema"]["features"] == list(CHANNELS)
    assert content["threshold"]["alpha"] == 0.01


def test_how_pandas_numbered_the_rows_is_no_feature(tmp_path):
    rows = normal_rows(900)
    kept = rows[rows["load"] > rows["load"].quantile(0.2)]  # leaves an index with gaps

    assert fit(tmp_path, kept) == 0

    schema = load_bundle(tmp_path / "bundle").schema
    assert set(schema.features) == set(CHANNELS)


def test_a_time_that_pandas_stored_as_its_index_is_time(tmp_path):
    rows = timed(normal_rows(700)).set_index("timestamp")

    assert fit(tmp_path, rows) == 0

    assert load_bundle(tmp_path / "bundle").schema.timestamp == "timestamp"


@pytest.mark.parametrize(
    ("rows", "kind_of_score"),
    [(normal_rows(700), "memory"), (timed(normal_rows(700)), "reconstruction")],
)
def test_rows_without_time_are_held_against_remembered_ones(tmp_path, rows, kind_of_score):
    assert fit(tmp_path, rows) == 0

    score = load_bundle(tmp_path / "bundle").description.network.score
    assert score["kind"] == kind_of_score


@pytest.mark.parametrize("change", [lambda t: t, lambda t: t - t.min()], ids=["time", "duration"])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "spec"])
def test_times_are_no_numbers(tmp_path, capsys, bare, change):
    frame = timed(normal_rows(700))
    moments = change(frame["timestamp"].dt.tz_localize(None))
    assert fit(tmp_path, frame, "--detector", spec(tmp_path / "plant.yaml")) == 0
    bad = frame.assign(**{CHANNELS[0]: moments})
    data, out = save(bad, tmp_path / "bad.parquet"), str(tmp_path / "s.parquet")

    if bare:
        code = main(["score", "--bundle", str(tmp_path / "bundle"), "--data", data, "--out", out])
    else:
        code = fit(tmp_path, bad, "--detector", spec(tmp_path / "plant.yaml"))

    assert code == 2
    assert f"Column '{CHANNELS[0]}' holds" in capsys.readouterr().err


@pytest.mark.parametrize("stamp", ["9999-12-31", None])
def test_a_time_that_cannot_be_kept_is_named(tmp_path, capsys, stamp):
    frame = timed(normal_rows(700))
    times = frame["timestamp"].dt.tz_localize(None).astype("datetime64[us]")
    times.iloc[5] = pd.NaT if stamp is None else np.datetime64(stamp, "us")

    code = fit(tmp_path, frame.assign(timestamp=times))

    assert code == 2
    assert "1 of 700 rows have no timestamp that can be read" in capsys.readouterr().err


def test_a_missing_evaluation_column_is_reported(tmp_path, capsys):
    schema = {
        "cadence": "10min",
        "features": FEATURES,
        "evaluation_only": ["eval_out"],
        "exclude_from_training": ["eval_out"],
    }

    code = fit(
        tmp_path,
        timed(normal_rows(700)),
        "--detector",
        spec(tmp_path / "plant.yaml", schema=schema),
    )

    assert code == 0
    assert "there is no column eval_out, which marks what is not normal" in capsys.readouterr().err


def test_episodes_that_were_held_back_are_named_with_their_time(tmp_path, capsys):
    frame = timed(normal_rows(6000))
    load = frame["load"].to_numpy(copy=True)
    load[frame["timestamp"].dt.hour.isin([2, 3, 4, 5])] += 20 * load.std()
    night = frame["timestamp"].dt.dayofyear.isin([5, 17, 29])
    frame["load"] = np.where(night, load, frame["load"])

    code = fit(tmp_path, frame, "--detector", spec(tmp_path / "pump.yaml"))

    shown = capsys.readouterr().out
    description = load_bundle(tmp_path / "bundle").description
    held = [each for each in (description.network.held, description.calibration.held) if each.rows]
    assert code == 0
    assert held
    assert all(f"{each.rows:,} row" in shown for each in held)
    assert "02:00 to" in shown


def test_rows_without_time_say_that_nothing_was_held_back(tmp_path, capsys):
    fit(tmp_path, normal_rows(700))

    assert "Nothing was held back: without time" in capsys.readouterr().out
