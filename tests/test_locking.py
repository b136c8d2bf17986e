import multiprocessing
import time
from pathlib import Path

import pytest

from pipeline.errors import OutageError
from pipeline.locking import promotion_lock
from pipeline.settings import Deployment


def settings(folder: Path) -> Deployment:
    return Deployment(
        storage=str(folder),
        detectors=folder,
        data=str(folder),
        cache=folder / "cache",
        lineage=folder / "lineage",
        mlflow_uri="unused",
        mlflow_url="unused",
        database=None,
    )


def add_one(folder: Path, counter: Path) -> None:
    """A read, a pause and a write: loses updates unless somebody keeps the others out."""
    with promotion_lock(settings(folder), "pump"):
        value = int(counter.read_text())
        time.sleep(0.05)
        counter.write_text(str(value + 1))


def test_only_one_process_at_a_time_holds_the_lock(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=add_one, args=(tmp_path, counter)) for _ in range(5)]

    for other in others:
        other.start()
    for other in others:
        other.join()

    assert counter.read_text() == "5"


def test_waiting_too_long_says_who_is_in_the_way(tmp_path):
    here = settings(tmp_path)

    with (
        promotion_lock(here, "pump"),
        pytest.raises(OutageError, match="promotion of pump has held the lock"),
        promotion_lock(here, "pump", wait_s=0.2),
    ):
        pass


def test_detectors_do_not_wait_for_each_other(tmp_path):
    here = settings(tmp_path)

    with promotion_lock(here, "pump"), promotion_lock(here, "fan", wait_s=0.2):
        held = True

    assert held
