"""A detector that is no longer wanted, and the tables of one whose file is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from pipeline import settings, staging, tables
from pipeline.errors import ConfigError, OutageError
from pipeline.locking import promotion_lock
from pipeline.steps import removing
from pipeline.steps.leftovers import leftovers
from pipeline.steps.removing import plan_removal, remove
from pipeline.store.labels import Label, add_labels
from pipeline.tables import Table
from tests.builders import days, moment
from tests.steps.asked import put_detector, put_incident

DAY = days(1)[0]
NOW = datetime(2024, 1, 10, 9, tzinfo=UTC)
ARCHIVED = "_archive/pumps-20240110T090000Z"


@pytest.fixture
def pumps(here):
    """A detector with telemetry, an incident, a ledger, and what a run has staged."""
    put_detector(here)
    put_incident(here, moment(DAY, 3), entity="b", rows=4)
    tables.append(Table(here.storage, "pumps", "ledger"), [{"date": DAY, "sequence": 1}])
    staging.write_json(f"{here.storage}/pumps/staging/ingest/r/a.json", {})
    return here


def take(here, fate: str) -> None:
    remove(here, plan_removal(here, "pumps", fate, now=NOW))


def test_a_plan_changes_nothing(pumps):
    before = staging.names_at(f"{pumps.storage}/pumps")

    planned = plan_removal(pumps, "pumps", "delete", now=NOW)

    assert planned.file == pumps.detectors / "pumps.yaml"
    assert {"telemetry", "incidents", "staging"} <= set(planned.folders)
    assert "ledger" not in planned.folders
    assert planned.dags is None  # nobody can ask an Airflow here
    assert staging.names_at(f"{pumps.storage}/pumps") == before
    assert planned.file.exists()


def test_archived_tables_can_still_be_read_and_the_ledger_stays(pumps):
    text = (pumps.detectors / "pumps.yaml").read_text()
    rows = len(tables.read(Table(pumps.storage, "pumps", "telemetry")))

    take(pumps, "archive")

    archive = f"{pumps.storage}/_archive"
    moved = Table(archive, ARCHIVED.partition("/")[2], "telemetry")
    assert len(tables.read(moved)) == rows
    assert staging.names_at(f"{pumps.storage}/pumps") == ["ledger"]
    assert not (pumps.detectors / "pumps.yaml").exists()
    assert Path(f"{pumps.storage}/{ARCHIVED}/pumps.yaml").read_text() == text


def test_deleted_tables_are_gone_and_the_ledger_stays(pumps):
    take(pumps, "delete")

    assert staging.names_at(f"{pumps.storage}/pumps") == ["ledger"]


def test_kept_tables_are_shown_as_left_over_with_their_open_incidents(pumps):
    assert leftovers(pumps, now=NOW) == []

    take(pumps, "keep")

    (left,) = leftovers(pumps, now=NOW)
    assert (left.detector, left.open_incidents) == ("pumps", 1)
    assert {"telemetry", "incidents"} <= set(left.tables)
    label = Label(moment(DAY, 3), moment(DAY, 6), None, "normal", "", "ann", NOW, "")
    add_labels(pumps, "pumps", [label])
    assert leftovers(pumps, now=NOW)[0].open_incidents == 0


@pytest.mark.parametrize("fate", ["archive", "delete"])
def test_archived_or_deleted_tables_are_not_left_over(pumps, fate):
    take(pumps, fate)

    assert leftovers(pumps, now=NOW) == []


def test_a_removal_without_a_file_takes_the_tables(pumps):
    (pumps.detectors / "pumps.yaml").unlink()

    take(pumps, "archive")

    assert staging.names_at(f"{pumps.storage}/pumps") == ["ledger"]


def test_folders_that_are_no_detectors_are_left_alone(pumps):
    staging.write_json(f"{pumps.storage}/sources/press/2024-01-01.json", {})
    take(pumps, "archive")

    for name in ("sources", "_archive", "../lake/pumps", "pumps/telemetry", "."):
        with pytest.raises(ConfigError, match="There is no detector"):
            plan_removal(pumps, name, "delete", now=NOW)
    assert leftovers(pumps, now=NOW) == []


def test_an_unknown_detector_suggests_the_nearest(pumps):
    with pytest.raises(ConfigError, match="the nearest: pumps"):
        plan_removal(pumps, "pump", "keep", now=NOW)


class ReadOnly(type(Path())):
    """A file on a mount that nobody may write."""

    def unlink(self, **_: bool) -> None:
        raise OSError(30, "Read-only file system")


def test_a_file_that_cannot_be_deleted_stops_the_removal_before_anything_is_changed(pumps):
    planned = plan_removal(pumps, "pumps", "delete", now=NOW)
    before = staging.names_at(f"{pumps.storage}/pumps")

    with pytest.raises(ConfigError, match=r"Read-only file system.*begin again"):
        remove(pumps, replace(planned, file=ReadOnly(planned.file)))

    assert staging.names_at(f"{pumps.storage}/pumps") == before
    assert staging.names_at(f"{pumps.storage}/_archive") == []


def test_a_removal_waits_for_a_promotion(pumps, monkeypatch):
    briefly = partial(promotion_lock, wait_s=0.1)
    monkeypatch.setattr(removing, "promotion_lock", briefly)
    planned = plan_removal(pumps, "pumps", "delete", now=NOW)

    with promotion_lock(pumps, "pumps"), pytest.raises(OutageError, match="has held the lock"):
        remove(pumps, planned)

    assert planned.file.exists()


def test_a_damaged_table_of_a_removed_detector_hides_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path / "lake"))
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(tmp_path))
    here = settings.load()
    for name in ("fans", "pumps"):
        at = datetime.now(UTC)
        row = {"date": at.date(), "status": "raised", "start": at, "end": at, "entity": "a"}
        tables.append(Table(here.storage, name, "incidents"), [row])
    log = tmp_path / "lake" / "fans" / "incidents" / "_delta_log" / f"{0:020d}.json"
    log.write_text("garbage")

    fans, pumps = leftovers(here, now=datetime.now(UTC))

    assert "the log of the table is damaged" in fans.fault
    assert (pumps.open_incidents, pumps.fault) == (1, "")
