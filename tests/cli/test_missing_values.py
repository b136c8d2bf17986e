import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.cli import main
from pipeline.detector.bundle.bundle import load_bundle
from tests.detector.plant import CHANNELS, normal_rows, timed

FEATURES = {name: {"unit": "1"} for name in CHANNELS}
MASKED = {"family": "masked", "members": 2, "width": 16, "steps": 60}


def with_missing(rows, *, seed):
    frame = normal_rows(rows, seed=seed)
    missing = np.random.default_rng(seed).random(frame.shape) < 0.05
    missing[missing.all(axis=1)] = False
    return timed(frame.mask(missing), start=f"2024-{seed:02}-01")


def spec(folder, **sections):
    content = {
        "name": "plant",
        "source": {"kind": "parquet", "path": "nowhere.parquet"},
        "schema": {"cadence": "10min", "features": FEATURES},
        "schedule": {"start": "2024-01-01"},
        **sections,
    }
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def fit(folder, *more):
    with_missing(900, seed=1).to_parquet(folder / "train.parquet")
    return main(
        ["fit", "--train", str(folder / "train.parquet"), "--out", str(folder / "bundle"), *more]
    )


def test_nulls_are_refused_with_the_setting_that_allows_them(tmp_path, capsys):
    assert fit(tmp_path) == 2
    assert "validation.missing_cells together with model.family: masked" in capsys.readouterr().err


def test_masked_alone_does_not_allow_them(tmp_path, capsys):
    assert fit(tmp_path, "--detector", spec(tmp_path, model=MASKED)) == 2
    assert "validation.missing_cells" in capsys.readouterr().err


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    file = spec(folder, model=MASKED, validation={"missing_cells": 0.4})
    assert fit(folder, "--detector", file) == 0
    return folder


def score(folder, frame):
    frame.to_parquet(folder / "rows.parquet")
    files = {"--bundle": "bundle", "--data": "rows.parquet", "--out": "scores.parquet"}
    return main(["score", *(part for k, v in files.items() for part in (k, str(folder / v)))])


def test_a_file_with_nulls_is_fitted_and_scored(fitted):
    frame = with_missing(500, seed=3)

    assert score(fitted, frame) == 0

    answers = pd.read_parquet(fitted / "scores.parquet")
    assert load_bundle(fitted / "bundle").schema.missing_cells == 0.4
    assert len(answers) == 500
    assert answers["score"].notna().all()
    assert answers["is_anomaly"].mean() < 0.06


def test_a_row_with_nothing_in_it_has_no_score_and_is_counted(fitted, capsys):
    frame = with_missing(50, seed=3)
    frame.loc[7, list(CHANNELS)] = np.nan
    frame.loc[9, CHANNELS[0]] = np.inf

    assert score(fitted, frame) == 0

    answers = pd.read_parquet(fitted / "scores.parquet")
    assert list(np.flatnonzero(answers["score"].isna())) == [7, 9]
    assert "warning: 2 of 50 rows have no score" in capsys.readouterr().err
