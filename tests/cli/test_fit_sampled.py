"""`fit` on files with more rows than it holds."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.cli import main, stored
from pipeline.cli.blocks import blocks_of
from pipeline.cli.training_data import RandomSample, by_numbers
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.errors import SplitReuseError
from tests.detector.plant import SMALL, normal_rows, timed

DRAW = RandomSample(most=1000, seed=7)


@pytest.fixture(autouse=True)
def small_default(monkeypatch):
    monkeypatch.setattr("pipeline.cli.blocks.DenoisingModel", lambda: SMALL)
    monkeypatch.setattr(stored, "BATCH", 512)


def save(frame, path, *, group=None):
    frame.to_parquet(path, row_group_size=group)
    return path


def test_rows_without_time_are_sampled_at_random_however_the_file_is_split(tmp_path):
    rows = normal_rows(5000)
    one = by_numbers(save(rows, tmp_path / "one.parquet"), DRAW)
    many = by_numbers(save(rows, tmp_path / "many.parquet", group=97), DRAW)

    assert len(one.frame) == 1000
    pd.testing.assert_frame_equal(one.frame, many.frame)
    assert one.remarks[-1].startswith("1,000 of 5,000 rows sampled, at random")


def test_rows_with_time_are_sampled_in_whole_stretches(tmp_path):
    rows = timed(normal_rows(50_000))
    data = by_numbers(
        save(rows, tmp_path / "rows.parquet", group=999), RandomSample(most=10_000, seed=0)
    )

    steps = np.diff(data.frame["timestamp"].to_numpy()) / np.timedelta64(600, "s")
    assert 9_000 < len(data.frame) <= 10_000
    assert (steps == 1).mean() > 0.97
    assert data.schema.cadence_s == 600
    assert "in whole stretches of time" in data.remarks[-1]


def test_stretches_come_from_all_seasons(tmp_path):
    rows = timed(normal_rows(50_000))
    data = by_numbers(save(rows, tmp_path / "rows.parquet"), RandomSample(most=10_000, seed=0))

    tenths = np.bincount(_tenths(data.frame, rows), minlength=10)
    assert tenths.min() > 500


def _tenths(frame, rows):
    return rows["timestamp"].searchsorted(frame["timestamp"]) * 10 // len(rows)


def test_a_file_below_the_limit_is_used_as_a_whole(tmp_path):
    rows = normal_rows(1000)

    data = by_numbers(save(rows, tmp_path / "rows.parquet"), DRAW)

    pd.testing.assert_frame_equal(data.frame, rows)
    assert not data.is_sample
    assert data.remarks == ()


def test_a_bundle_records_the_numbers_of_all_rows_and_of_sampled_rows(tmp_path, capsys):
    path = str(save(normal_rows(5000), tmp_path / "rows.parquet"))
    out = str(tmp_path / "bundle")

    assert main(["fit", "--train", path, "--out", out, "--max-rows", "1200"]) == 0

    origin = load_bundle(tmp_path / "bundle").description.provenance.data["train"]
    assert (origin["rows"], origin["drawn"]) == (5000, 1200)
    assert "1,200 of 5,000 rows sampled" in capsys.readouterr().err


def test_a_folder_is_fitted_like_the_file_that_it_is_cut_from(tmp_path):
    rows = normal_rows(3000)
    (tmp_path / "parts").mkdir()
    for number in range(3):
        part = rows.iloc[number * 1000 : (number + 1) * 1000]
        save(part.reset_index(drop=True), tmp_path / "parts" / f"{number}.parquet")
    save(rows, tmp_path / "rows.parquet")

    folder, file = by_numbers(tmp_path / "parts", DRAW), by_numbers(tmp_path / "rows.parquet", DRAW)

    pd.testing.assert_frame_equal(folder.frame, file.frame)


def test_a_calibration_row_of_a_training_time_that_was_not_sampled_is_refused_too(tmp_path):
    rows = timed(normal_rows(20_000))
    train = save(rows, tmp_path / "train.parquet")
    sampled_times = set(by_numbers(train, RandomSample(2000, SMALL.seed)).frame["timestamp"])
    other = rows[~rows["timestamp"].isin(sampled_times)].iloc[:300].assign(load=1.0)
    held = save(other.reset_index(drop=True), tmp_path / "held.parquet")

    with pytest.raises(SplitReuseError, match="300 of 300 rows have the timestamp"):
        blocks_of(train, held, None, most=2000)


def test_identical_rows_that_were_not_sampled_are_warned_about(tmp_path):
    rows = normal_rows(5000)
    train = save(rows, tmp_path / "train.parquet")
    held = save(rows.iloc[::10].reset_index(drop=True), tmp_path / "held.parquet")

    blocks = blocks_of(train, held, None, most=1000)

    assert "100% of the calibration rows are identical" in blocks.remarks[-1]


def test_too_few_rows_to_sample_are_one_message(tmp_path, capsys):
    path = str(save(normal_rows(2000), tmp_path / "rows.parquet"))

    with pytest.raises(SystemExit):
        main(["fit", "--train", path, "--out", str(tmp_path / "b"), "--max-rows", "5"])

    assert "at least 1000" in capsys.readouterr().err


def test_only_the_columns_that_are_features_are_read(tmp_path):
    rows = normal_rows(5000).assign(note="long text")
    data = by_numbers(save(rows, tmp_path / "rows.parquet"), DRAW)

    assert "note" not in data.frame
    assert pq.read_schema(tmp_path / "rows.parquet").get_field_index("note") >= 0
