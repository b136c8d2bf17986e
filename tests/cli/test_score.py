import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.scoring import score_frame
from tests.detector.plant import normal_rows, timed, write_plant


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant") / "bundle"
    write_plant(folder)
    return folder


def score(bundle, frame, tmp_path):
    frame.to_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "out" / "scores.parquet"
    data = str(tmp_path / "rows.parquet")
    code = main(["score", "--bundle", str(bundle), "--data", data, "--out", str(out)])
    return code, out


def test_a_file_gets_the_scores_that_the_bundle_gives_its_rows(bundle, tmp_path):
    frame = normal_rows(300, seed=4)

    code, out = score(bundle, frame, tmp_path)

    answers = pd.read_parquet(out)
    assert code == 0
    assert list(answers) == ["score", "threshold", "is_anomaly"]
    pd.testing.assert_frame_equal(answers, score_frame(load_bundle(bundle), frame))


def test_times_are_kept_as_they_came_and_rows_in_their_order(bundle, tmp_path):
    frame = timed(normal_rows(300)).sample(frac=1, random_state=0).reset_index(drop=True)

    _, out = score(bundle, frame, tmp_path)

    answers = pd.read_parquet(out)
    assert list(answers) == ["timestamp", "score", "threshold", "is_anomaly"]
    pd.testing.assert_series_equal(answers["timestamp"], frame["timestamp"])


def test_an_older_file_of_scores_is_replaced(bundle, tmp_path):
    score(bundle, normal_rows(300), tmp_path)

    _, out = score(bundle, normal_rows(10), tmp_path)

    assert pq.read_metadata(out).num_rows == 10
    assert [path.name for path in out.parent.iterdir()] == ["scores.parquet"]


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (None, "absent: flow"),
        (np.nan, "flow (20)"),
        ("much", "'flow' holds"),
    ],
)
def test_rows_that_cannot_be_scored_are_one_message(bundle, tmp_path, capsys, flow, message):
    frame = normal_rows(20).drop(columns="flow")
    code, out = score(bundle, frame if flow is None else frame.assign(flow=flow), tmp_path)

    assert code == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_is_no_bundle_is_one_message(tmp_path, capsys):
    code, _ = score(tmp_path, normal_rows(5), tmp_path)

    assert code == 2
    assert "is no bundle" in capsys.readouterr().err


def test_the_data_are_never_written_over(bundle, tmp_path, capsys):
    path = str(tmp_path / "rows.parquet")
    normal_rows(5).to_parquet(path)

    assert main(["score", "--bundle", str(bundle), "--data", path, "--out", path]) == 2
    assert "is the data file itself" in capsys.readouterr().err


def test_scoring_imports_neither_torch_nor_pandas(bundle, tmp_path):
    data, out = str(tmp_path / "rows.parquet"), str(tmp_path / "scores.parquet")
    normal_rows(20).to_parquet(data)
    command = ["score", "--bundle", str(bundle), "--data", data, "--out", out]
    code = (
        f"import sys; from pipeline.cli import main; main({command!r}); "
        "print([m for m in ('torch', 'pandas', 'scipy', 'mlflow', 'airflow') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_package_runs_as_a_module_and_a_mistake_shows_no_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "score", "--bundle", "x", "--data", "y", "--out", "z"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == "error: x: no such folder; give a bundle that `fit` has written\n"


def test_rows_that_pandas_filtered_are_scored(bundle, tmp_path):
    rows = normal_rows(50)
    kept = rows[rows["load"] > rows["load"].median()]
    data, out = tmp_path / "rows.parquet", tmp_path / "scores.parquet"
    kept.to_parquet(data)

    code = main(["score", "--bundle", str(bundle), "--data", str(data), "--out", str(out)])

    assert code == 0
    assert pq.read_table(out).num_rows == len(kept)


def test_flags_that_the_threshold_does_not_promise_are_told_loudly_with_their_own_code(
    bundle, tmp_path, capsys
):
    code, out = score(bundle, normal_rows(300, seed=4) * 1.8, tmp_path)

    share = pd.read_parquet(out)["is_anomaly"].mean()
    printed = " ".join(capsys.readouterr().err.split())
    assert code == 3
    assert f"THE THRESHOLD DOES NOT HOLD ON THIS FILE: {share:.1%} of 300 rows" in printed
    assert "promises 1.00% of normal rows (95 % interval" in printed
    assert "The flags of this file cannot be trusted." in printed
    assert "fit again on newer rows" in printed


def test_a_log_collector_is_told_as_well(bundle, tmp_path):
    (normal_rows(300, seed=4) * 1.8).to_parquet(tmp_path / "rows.parquet")
    names = {"--bundle": bundle, "--data": tmp_path / "rows.parquet", "--out": tmp_path / "out"}
    given = [str(word) for pair in names.items() for word in pair]

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "score", *given, "--log", "json"],
        capture_output=True,
        text=True,
        check=False,
    )

    (said,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, said["event"]) == (3, "threshold_does_not_hold")
    assert "cannot be trusted" in said["reason"]


def test_a_file_with_few_flags_is_not_judged(bundle, tmp_path, capsys):
    code, _ = score(bundle, normal_rows(9, seed=4) * 1.8, tmp_path)

    assert code == 0
    assert "THRESHOLD" not in capsys.readouterr().err


def test_as_many_flags_as_promised_are_none(bundle, tmp_path, capsys):
    code, _ = score(bundle, normal_rows(3000, seed=4), tmp_path)

    assert code == 0
    assert capsys.readouterr().err == ""
