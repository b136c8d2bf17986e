import itertools

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.cli import main
from pipeline.cli.tuning_rows import ground_of
from pipeline.config import load_detector
from pipeline.data.split import split
from tests.detector.plant import CHANNELS, SMALL, normal_rows, timed

MOST = 100_000


@pytest.fixture(autouse=True)
def one_second_a_try(monkeypatch):
    """Seconds count tries here, however slow the machine is."""
    ticks = itertools.count()
    monkeypatch.setattr("pipeline.tuning.study.monotonic", lambda: float(next(ticks)))


def spec(path, **sections):
    content = {
        "name": path.stem,
        "source": {"kind": "parquet", "path": "nowhere.parquet"},
        "schema": {"cadence": "10min", "features": {name: {"unit": "1"} for name in CHANNELS}},
        "model": {"family": "linear"},
        "schedule": {"start": "2024-01-01"},
        **sections,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def tune(tmp_path, frame, *more, seconds="7", study="study"):
    train = tmp_path / "train.parquet"
    frame.to_parquet(train)
    detector = spec(tmp_path / "plant.yaml")
    return main(
        [
            *("tune", "--train", str(train), "--detector", str(detector)),
            *("--seconds", seconds, "--study", str(tmp_path / study), *more),
        ]
    )


def rows(days=24):
    return timed(normal_rows(144 * days, seed=1))


def used(ground):
    parts = [ground.train.frame, ground.calibration.frame, ground.test]
    return pd.concat(parts)["timestamp"]


def test_it_prints_the_tries_the_best_settings_and_what_they_are_worth(tmp_path, capsys):
    code = tune(tmp_path, rows())

    shown = capsys.readouterr().out
    assert code == 0
    assert "present settings, seed 3" in shown
    assert "model.ridge=" in shown
    assert yaml.safe_load(shown.split("file:\n")[1].split("They caught")[0])["model"]["ridge"] > 0
    assert "another seed" in shown


def test_a_second_call_goes_on_with_the_same_study(tmp_path, capsys):
    tune(tmp_path, rows())
    first = capsys.readouterr().out

    tune(tmp_path, rows())

    second = capsys.readouterr().out
    assert "present settings, seed" not in second
    assert "try   0" in first
    assert "try   0" in second


def test_rows_of_the_other_blocks_are_never_used(tmp_path):
    frame, detector = rows(), spec(tmp_path / "plant.yaml")
    frame.to_parquet(tmp_path / "train.parquet")
    blocks = split(frame, load_detector(detector))

    ground = ground_of(tmp_path / "train.parquet", load_detector(detector), most=MOST)

    assert set(used(ground)) <= set(blocks.train.frame["timestamp"])
    assert used(ground).is_unique


def test_poisoned_calibration_and_test_rows_change_nothing(tmp_path, capsys):
    frame, detector = rows(), spec(tmp_path / "plant.yaml")
    frame.to_parquet(tmp_path / "train.parquet")
    ground = ground_of(tmp_path / "train.parquet", load_detector(detector), most=MOST)
    other = ~frame["timestamp"].isin(used(ground))
    poisoned = frame.copy()
    poisoned.loc[other, list(CHANNELS)] = np.random.default_rng(0).normal(
        1e6, 1e6, (int(other.sum()), len(CHANNELS))
    )

    shown = []
    for each, study in [(frame, "clean"), (poisoned, "poisoned")]:
        tune(tmp_path, each, study=study, seconds="6")
        said = capsys.readouterr().out.splitlines()
        shown.append([line.split(" caught")[0] for line in said if "caught, " in line])

    assert other.sum() > 1000
    assert shown[0] == shown[1]
    assert len(shown[0]) == 5


def test_rows_without_time_and_without_a_detector_can_be_tuned_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.cli.blocks.DenoisingModel", lambda: SMALL)
    normal_rows(1500).to_parquet(tmp_path / "train.parquet")

    code = main(
        [
            *("tune", "--train", str(tmp_path / "train.parquet")),
            *("--seconds", "2", "--study", str(tmp_path / "study")),
        ]
    )

    assert code == 0
    assert "present settings, seed 1" in capsys.readouterr().out


def test_too_few_rows_are_one_clear_message(tmp_path, capsys):
    code = tune(tmp_path, rows(days=7).iloc[:300])

    assert code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-3"])
def test_a_budget_must_be_positive(tmp_path, seconds):
    with pytest.raises(SystemExit):
        tune(tmp_path, rows(), seconds=seconds)
