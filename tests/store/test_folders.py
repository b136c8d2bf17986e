"""A detector's part of the lake as whole folders."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from pipeline import staging
from pipeline.store.folders import (
    archive_folders,
    archive_for,
    delete_folders,
    detectors_in_lake,
    folders_of,
)


def put(here, *names: str) -> Path:
    """Folders with a file each in the part of `pumps`; returns that part."""
    for name in names:
        staging.write_json(f"{here.storage}/pumps/{name}/a.json", {})
    return Path(here.storage) / "pumps"


def test_a_detector_owns_its_tables_and_its_staged_files_and_nothing_foreign(here):
    put(here, "telemetry", "candidates", "notes_of_anna")

    assert set(folders_of(here, "pumps", ["candidates"])) == {"telemetry", "candidates"}


def test_a_folder_without_a_table_belongs_to_no_detector(here):
    put(here, "candidates")

    assert folders_of(here, "pumps", ["candidates"]) == ()
    assert folders_of(here, "press", []) == ()


def test_the_archive_is_no_detector_and_is_named_by_the_utc_time(here):
    put(here, "telemetry")
    local = datetime(2024, 1, 10, 10, tzinfo=timezone(timedelta(hours=1)))
    archive = archive_for(here, "pumps", local)

    archive_folders(here, "pumps", ["telemetry"], archive)

    assert archive.endswith("/_archive/pumps-20240110T090000Z")
    assert Path(archive, "telemetry", "a.json").exists()
    assert detectors_in_lake(here) == []


def test_deleting_spares_the_other_folders_and_may_be_repeated(here):
    part = put(here, "telemetry", "ledger")

    for _ in ("once", "again"):
        delete_folders(here, "pumps", ["telemetry"])

        assert [each.name for each in part.iterdir()] == ["ledger"]
