import json

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.cli import main
from pipeline.detector.bundle import load_bundle
from tests.detector.plant import CHANNELS, SMALL, normal_rows, timed

FEATURES = {name: {"unit": "1"} for name in CHANNELS}


@pytest.fixture(autouse=True)
def small_default(monkeypatch):
    """What matters here is what is fitted on what; the default network takes seconds each time."""
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


def test_small_data_still_draw_a_conformal_threshold_when_half_of_them_suffice(tmp_path):
    fit(tmp_path, normal_rows(220))

    drawn = load_bundle(tmp_path / "bundle").description.threshold
    assert (drawn.method, drawn.n) == ("conformal", 99)


def test_very_small_data_get_a_low_confidence_line_and_a_warning(tmp_path, capsys):
    code = fit(tmp_path, normal_rows(120))

    drawn = load_bundle(tmp_path / "bundle").description.threshold
    assert code == 0
    assert (drawn.method, drawn.low_confidence) == ("hill", True)
    assert "warning: Low confidence" in capsys.readouterr().err


def test_the_same_file_gives_the_same_bundle(tmp_path):
    digests = []
    for _ in range(2):
        fit(tmp_path, normal_rows(300))
        digests.append(load_bundle(tmp_path / "bundle").digest)

    assert digests[0] == digests[1]


def test_missing_values_are_refused_by_column_and_count_and_nothing_is_written(tmp_path, capsys):
    frame = normal_rows(300)
    frame.loc[:6, "flow"] = np.nan
    frame.loc[0, "speed"] = np.inf

    code = fit(tmp_path, frame)

    error = capsys.readouterr().err
    assert code == 2
    assert "train.parquet: 7 of 300 rows" in error
    assert "speed (1), flow (7)" in error
    assert "drop these rows" in error
    assert not (tmp_path / "bundle").exists()


def test_a_separate_calibration_file_draws_the_threshold(tmp_path):
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
    assert (code, scored) == (0, 0)
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


def test_a_mark_that_is_neither_true_nor_false_is_refused_by_name(tmp_path, capsys):
    frame = timed(normal_rows(900)).assign(eval_down=["outage"] * 50 + ["ok"] * 850)

    code = fit(tmp_path, frame, "--detector", marked(tmp_path))

    told = capsys.readouterr().err
    assert code == 2
    assert "eval_down holds 'outage', 'ok' in 900 of 900 rows, which is neither true nor" in told


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
    kept = rows[rows["load"] > rows["load"].quantile(0.2)]  # leaves an index with holes

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
