import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from pipeline import settings, tables
from pipeline.errors import DataError, OutageError, PartitionBlocked, TableConflict
from pipeline.steps import ingestion
from pipeline.tables import Table
from tests.builders import FIRST_DAY, ROWS_A_DAY, make_frame, make_spec

DAY = FIRST_DAY.isoformat()


@pytest.fixture
def pumps(here):
    """A detector file whose source is `pumps.parquet` below the data root; that path."""
    spec = make_spec(source={"kind": "parquet", "path": "pumps.parquet"})
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    return Path(here.data) / "pumps.parquet"


def attempts(here):
    return tables.read(Table(here.storage, "pumps", "ingestions"), keep_date=True)


def ingest(days):
    fetched = through_airflow(
        ingestion.fetch(settings.load(), "pumps", days, run="pumps__ingest/r1")
    )
    validated = through_airflow(
        ingestion.validate(settings.load(), fetched, run="pumps__ingest/r1")
    )
    return ingestion.write(settings.load(), validated, run="pumps__ingest/r1")


def through_airflow(payload):
    return json.loads(json.dumps(payload))


def test_three_tasks_bring_a_day_into_the_tables(here, pumps):
    make_frame(2).to_parquet(pumps)

    result = ingest([DAY])

    telemetry = tables.read(Table(here.storage, "pumps", "telemetry"), keep_date=True)
    assert result == {
        "days": 1,
        "accepted": ROWS_A_DAY,
        "rejected": 0,
        "verdicts": {"validated": 1},
    }
    assert set(telemetry["date"]) == {FIRST_DAY}
    assert list(attempts(here)["run_id"]) == ["pumps__ingest/r1"]


def test_a_source_that_does_not_answer_is_recorded_before_it_is_raised(here, pumps):
    with pytest.raises(OutageError, match=pumps.name):
        ingestion.fetch(here, "pumps", [DAY, "2024-01-02"], run="pumps__ingest/r1")

    recorded = attempts(here)
    assert list(recorded["standing"]) == ["failed", "failed"]
    assert recorded["reasons"].str.startswith("OutageError: source.path").all()


def test_a_blocked_day_is_recorded_once_and_then_refused_by_name(here, pumps):
    frame = make_frame(1)
    frame.assign(flow=frame["flow"] * 1000).to_parquet(pumps)

    with pytest.raises(PartitionBlocked, match=f"{DAY}: .*implausible day flow"):
        ingest([DAY])

    assert list(attempts(here)["standing"]) == ["quarantined"]


def test_staged_files_that_are_gone_are_recorded_as_a_failure(here, pumps):
    make_frame(1).to_parquet(pumps)
    fetched = ingestion.fetch(here, "pumps", [DAY], run="r")
    for file in Path(fetched["parts"][0]["folder"]).iterdir():
        file.unlink()

    with pytest.raises(Exception, match=r"raw\.parquet"):
        ingestion.validate(here, fetched, run="r")

    assert list(attempts(here)["standing"]) == ["failed"]


@pytest.mark.usefixtures("pumps")
def test_a_day_that_has_not_begun_is_refused_and_leaves_no_record(here):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()

    with pytest.raises(DataError, match=f"the day {tomorrow} has not begun"):
        ingestion.fetch(here, "pumps", [tomorrow], run="r")

    assert not len(attempts(here))


def test_losing_to_other_writers_for_good_is_recorded(here, pumps, monkeypatch):
    def conflict(*_, **__):
        raise TableConflict

    make_frame(1).to_parquet(pumps)
    monkeypatch.setattr("pipeline.store.writing.replace_days", conflict)
    monkeypatch.setattr("pipeline.retrying._FIRST_WAIT_S", 0)

    with pytest.raises(OutageError, match="12 times"):
        ingest([DAY])

    assert list(attempts(here)["standing"]) == ["failed"]


def test_a_file_that_is_broken_is_recorded_for_each_day(here, pumps):
    pumps.write_bytes(b"broken")

    with pytest.raises(DataError, match="no Parquet file"):
        ingestion.load(here, "pumps", [DAY, "2024-01-02"], run="r")

    assert list(attempts(here)["standing"]) == ["failed", "failed"]
    assert attempts(here)["reasons"].str.contains("no Parquet file").all()
