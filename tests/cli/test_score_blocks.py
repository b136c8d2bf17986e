"""`score` a block at a time: the answers are those of all rows at once."""

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.cli import main, scoring_blocks, stored
from pipeline.config import Columns, Threshold
from pipeline.data.derive import derive
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.training.fit import fit
from pipeline.scoring import score_frame
from tests.detector.plant import CHANNELS, SMALL, normal_rows, schema, timed, write_plant

CHUNK = 2048


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(stored, "BATCH", 2 * CHUNK)
    monkeypatch.setattr(scoring_blocks, "BATCH", 2 * CHUNK)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "bundle"
    write_plant(folder)
    return folder


@pytest.fixture(scope="module")
def windowed(tmp_path_factory):
    """A bundle that looks at three rows of each of two machines."""
    inputs = schema(window=3, timed=True, entity=True)
    blocks = [
        pd.concat([timed(normal_rows(500, seed=s), machine=m) for s, m in [(s, "a"), (s + 1, "b")]])
        for s in (1, 3)
    ]
    network = fit(Block("train", blocks[0]), inputs, SMALL)
    calibration = calibrate(
        Block("calibration", blocks[1]), inputs, Graph(network.graph).score, Threshold()
    )
    folder = tmp_path_factory.mktemp("windowed") / "bundle"
    write_bundle(network, calibration, folder, name="w", provenance=Provenance({}, "", ""))
    return folder


def two_machines(rows):
    """Rows in order of time, machines side by side, with a gap of each."""
    frame = pd.concat(
        [timed(normal_rows(rows, seed=s), machine=m) for s, m in [(8, "a"), (9, "b")]]
    )
    kept = np.ones(len(frame), dtype=bool)
    kept[[rows // 3, rows // 3 + 1, rows + rows // 2]] = False
    return frame[kept].sort_values("timestamp", kind="stable").reset_index(drop=True)


def answers(bundle, frame, folder, *, group=None):
    frame.to_parquet(folder / "rows.parquet", row_group_size=group)
    data, out = str(folder / "rows.parquet"), str(folder / "scores.parquet")
    assert main(["score", "--bundle", str(bundle), "--data", data, "--out", out]) == 0
    return pd.read_parquet(out)


@pytest.mark.parametrize("group", [None, 700])
def test_single_rows_get_the_very_scores_of_all_rows_at_once(single, tmp_path, group):
    frame = normal_rows(5 * CHUNK + 17, seed=4)

    streamed = answers(single, frame, tmp_path, group=group)

    pd.testing.assert_frame_equal(streamed, score_frame(load_bundle(single), frame))


def test_windows_reach_over_the_borders_of_blocks_and_groups(windowed, tmp_path, capsys):
    frame = two_machines(6000)

    streamed = answers(windowed, frame, tmp_path, group=777)

    whole = score_frame(load_bundle(windowed), frame)
    assert streamed["score"].isna().sum() == whole["score"].isna().sum() == 8
    # A processor rounds a row by its place among the 2,048 of a call; single rows keep theirs.
    np.testing.assert_allclose(streamed["score"], whole["score"], rtol=1e-6)
    pd.testing.assert_series_equal(streamed["is_anomaly"].astype("boolean"), whole["is_anomaly"])
    pd.testing.assert_series_equal(streamed["timestamp"], frame["timestamp"])
    assert "held in memory" not in capsys.readouterr().err


def test_peers_are_compared_across_the_borders_of_blocks(tmp_path, monkeypatch):
    content = {
        "name": "plant",
        "source": {"kind": "parquet", "path": "nowhere.parquet"},
        "schema": {
            "cadence": "10min",
            "entity": "machine",
            "features": {name: {"unit": "1"} for name in CHANNELS},
            "derived": [{"kind": "peer_deviation", "of": ["load", "flow"]}],
        },
        "model": {"family": "denoising", "members": 2, "width": 16, "steps": 30},
        "schedule": {"start": "2024-01-01"},
    }
    (tmp_path / "plant.yaml").write_text(yaml.safe_dump(content))
    frame = two_machines(4000)
    # One clock is a minute ahead of the other, within the same step of the grid.
    ahead = pd.to_timedelta(np.where(frame["machine"] == "b", 60, 0), unit="s")
    # Both machines, also those of a lone one's time, so that each row has a peer.
    paired = frame[frame.groupby("timestamp")["machine"].transform("size") == 2]
    paired = paired.assign(timestamp=paired["timestamp"] + ahead[paired.index])
    paired = paired.sort_values("timestamp").reset_index(drop=True)
    train, bundle = tmp_path / "train.parquet", tmp_path / "bundle"
    paired.iloc[:2000].to_parquet(train)
    command = ["fit", "--train", str(train), "--out", str(bundle)]
    assert main([*command, "--detector", str(tmp_path / "plant.yaml")]) == 0
    # An odd number, so that every other block would part two peers.
    monkeypatch.setattr(stored, "BATCH", 1001)
    monkeypatch.setattr(scoring_blocks, "BATCH", 1001)

    streamed = answers(bundle, paired, tmp_path)

    columns = Columns.model_validate(content["schema"])
    whole = score_frame(load_bundle(bundle), derive(paired, columns))
    np.testing.assert_allclose(streamed["score"], whole["score"], rtol=1e-6)


def test_rows_out_of_order_are_scored_at_once_and_that_is_said(windowed, tmp_path, capsys):
    frame = two_machines(6000).sample(frac=1, random_state=0).reset_index(drop=True)

    streamed = answers(windowed, frame, tmp_path)

    np.testing.assert_array_equal(
        streamed["score"], score_frame(load_bundle(windowed), frame)["score"]
    )
    assert "11,997 rows are held in memory at once" in capsys.readouterr().err


def test_the_summary_counts_every_row_once(windowed, tmp_path, capsys):
    frame = two_machines(6000)

    streamed = answers(windowed, frame, tmp_path)

    flagged = int(streamed["is_anomaly"].sum())
    shown = capsys.readouterr().out
    assert f"{flagged:,} of 11,989 rows above" in shown
    assert "; 8 rows end no full window" in shown


def test_too_many_bad_values_leave_no_file_and_are_counted_in_all_blocks(single, tmp_path, capsys):
    frame = normal_rows(5 * CHUNK)
    frame.loc[len(frame) - 3 * CHUNK :, "flow"] = np.nan
    frame.loc[0, "speed"] = np.inf
    frame.to_parquet(tmp_path / "rows.parquet")
    data, out = str(tmp_path / "rows.parquet"), str(tmp_path / "out" / "scores.parquet")

    assert main(["score", "--bundle", str(single), "--data", data, "--out", out]) == 2

    printed = capsys.readouterr().err
    assert "6,145 of 10,240 rows hold values that are not finite" in printed
    assert "speed (1), flow (6,144)" in printed
    assert list((tmp_path / "out").iterdir()) == []


def test_rows_without_a_number_have_no_score_and_the_others_theirs(single, tmp_path, capsys):
    whole = normal_rows(5 * CHUNK)
    frame = whole.copy()
    frame.loc[[3, 7000, len(frame) - 1], "flow"] = [np.nan, np.inf, 1e300]

    found = answers(single, frame, tmp_path)

    broken = [3, 7000, len(frame) - 1]
    assert len(found) == len(frame)
    assert found.loc[broken, ["score", "is_anomaly"]].isna().all(axis=None)
    expected = score_frame(load_bundle(single), whole)["score"].drop(broken)
    np.testing.assert_allclose(found["score"].drop(broken), expected, rtol=1e-5)
    shown = capsys.readouterr()
    assert "warning: 3 of 10,240 rows have no score" in shown.err
    assert "in flow (3)" in shown.err
    assert "of 10,237 rows above" in shown.out
    assert "no full window" not in shown.out


def test_a_window_with_a_row_that_holds_no_number_has_no_score(windowed, tmp_path, capsys):
    frame = two_machines(6000)
    at = int(np.flatnonzero(frame["machine"] == "a")[4000])
    frame.loc[at, "flow"] = np.nan
    own = np.flatnonzero(frame["machine"] == "a")
    around = own[(own >= at)][:4]  # itself, two whose windows it ends, one that is free

    found = answers(windowed, frame, tmp_path)["score"]

    assert list(found[around].isna()) == [True, True, True, False]
    assert found[np.flatnonzero(frame["machine"] == "b")[4000:4004]].notna().all()
    shown = capsys.readouterr()
    assert "1 of 11,997 rows have no score" in shown.err
    assert "; 10 rows end no full window" in shown.out
