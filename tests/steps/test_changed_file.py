"""A detector file compared with its tables and its live version, for `check`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from pipeline import settings
from pipeline.cli import main
from pipeline.ledger import Decision
from pipeline.steps.changed_file import compared
from tests import ledger_entries
from tests.builders import make_spec
from tests.s3_server import free_ports
from tests.steps.pump_house import EIGHT_DAYS as D

FEATURES = make_spec().columns.model_dump(mode="json")["features"]
ELSEWHERE = "http://127.0.0.1:9"
"""An address without MLflow; the live version comes from the pump house."""


@pytest.fixture
def past(filled, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ELSEWHERE)
    return filled


def changed(**schema):
    return make_spec(source={"kind": "parquet", "path": "pumps.parquet"}, schema=schema)


@pytest.mark.usefixtures("past")
def test_an_unchanged_file_fits_its_past():
    found = compared(settings.load(), changed())

    assert (found.misfits, found.remarks) == ((), ())


@pytest.mark.usefixtures("house")
def test_a_detector_without_tables_has_no_past():
    assert compared(settings.load(), changed(entity="machine")).misfits == ()


@pytest.mark.usefixtures("past")
def test_a_renamed_machine_column_fits_neither_the_days_nor_the_live_version():
    days, version = compared(settings.load(), changed(entity="machine")).misfits

    assert f"rows of {D[0]} to {D[7]} have no column machine (theirs is pump)" in days
    assert "Ingest those days again with the load DAG" in days
    assert "version 1 of pumps needs column pump, the file says machine: train first" in version


@pytest.mark.usefixtures("past")
def test_an_added_feature_concerns_training_alone():
    found = compared(settings.load(), changed(features={**FEATURES, "heat": {"unit": "K"}}))

    (days,) = found.misfits
    assert "have no heat" in days
    assert "version 1 is live and goes on as it was trained" in found.remarks[0]
    assert "heat is new" in found.remarks[0]


@pytest.mark.usefixtures("past")
def test_a_switch_of_context_is_no_misfit():
    flow = {**FEATURES["flow"], "context": True}
    found = compared(settings.load(), changed(features={**FEATURES, "flow": flow}))

    assert found.misfits == ()
    assert "the next training will use: context of flow changed" in found.remarks[0]


@pytest.mark.usefixtures("past")
def test_harmless_changes_are_no_misfit():
    flow = {**FEATURES["flow"], "range": [0, 90], "stuck_after": "9h", "day_median": None}
    found = compared(
        settings.load(), changed(features={**FEATURES, "flow": flow}, entities=["a", "b"])
    )

    assert (found.misfits, found.remarks) == ((), ())


@pytest.mark.usefixtures("past")
def test_columns_that_the_table_cannot_take_are_named():
    spec = changed(entity="Pump", evaluation_only=["eval_incident"], incident=None,
                   exclude_from_training=[])  # fmt: skip
    misfits = " ".join(compared(settings.load(), spec).misfits)

    assert "the table has a column pump, and Pump differs only in which letters" in misfits
    assert "column eval_incident holds true or false in the table and would hold numbers" in misfits


def test_days_before_the_training_window_are_past_caring(past):
    past.spec = changed(features={**FEATURES, "pressure": {"unit": "Pa"}})
    content = past.spec.model_dump(mode="json", by_alias=True)
    (past.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    past.ingest(*D[2:])
    split = past.spec.split.model_copy(update={"training_days": 6})

    assert len(compared(settings.load(), past.spec).misfits) == 2  # two days, and version 1
    assert (
        len(compared(settings.load(), past.spec.model_copy(update={"split": split})).misfits) == 1
    )


def test_an_mlflow_that_does_not_answer_is_reported_and_stops_nothing(past, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("PLIMSOLL_STORAGE", past.here.storage)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("PLIMSOLL_HOME", str(past.here.cache))
    now = datetime.now(UTC).isoformat()
    went_live = Decision("promotion", "pumps", 1, None, "ada", "", "m1", "", now)
    ledger_entries.write(settings.load(), went_live)

    found = compared(settings.load(), changed(), wait_s=3)

    assert found.misfits == ()
    assert found.remarks[0].startswith("not compared with the live version: no answer within 3 s")


def test_a_store_that_does_not_answer_is_reported_and_stops_nothing(monkeypatch):
    monkeypatch.setenv("PLIMSOLL_STORAGE", "s3://nowhere/lake")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")

    found = compared(settings.load(), changed(), wait_s=2)

    assert found.misfits == ()
    assert found.remarks[0].startswith("not compared with the tables under s3://nowhere/lake: ")


def test_no_database_of_mlflow_is_made_to_ask_it(past, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("PLIMSOLL_STORAGE", past.here.storage)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none/mlflow.db")

    assert "not compared with the live version" in compared(settings.load(), changed()).remarks[0]
    assert not (tmp_path / "none").exists()


def test_check_prints_what_does_not_fit_and_counts_it_as_a_mistake(past, capsys, monkeypatch):
    ledger_entries.live_is(monkeypatch, past.by_alias)
    path = past.here.detectors / "pumps.yaml"
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"OK {path}")

    content = changed(entity="machine").model_dump(mode="json", by_alias=True)
    path.write_text(yaml.safe_dump(content))
    assert main(["check", str(path)]) == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{path}: does not fit its past: rows of 2024-01-01 to 2024-01-08" in shown.err
    assert "version 1 of pumps needs column pump" in shown.err
