"""The main job on the full stack: history loaded by two workers, a detector trained and live, its
line drawn anew, taken back. Tables on S3, artifacts behind MLflow, tasks on Celery."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pipeline import ledger
from tests.integration.plant import ROWS_A_DAY, day_after
from tests.integration.station import states, tries

if TYPE_CHECKING:
    from deploy.embedded.airflow_api import RunResult
    from tests.stack.running import Stack
    from tests.stack.station import CloudStation

pytestmark = pytest.mark.stack

LOADED = range(45)
AS_OF = day_after(36)


@pytest.fixture(scope="module")
def loaded(station: CloudStation) -> RunResult:
    return station.load(LOADED[0], LOADED[-1])


@pytest.fixture(scope="module")
def trained(station: CloudStation, loaded: RunResult) -> RunResult:
    assert loaded.succeeded
    return station.train(AS_OF)


def test_the_stack_is_healthy_in_time_and_small(stack: Stack):
    used = stack.memory()

    print({name: round(s, 1) for name, s in stack.healthy_after.items()})  # noqa: T201
    print({name: f"{size >> 20} MiB" for name, size in used.items()})  # noqa: T201
    assert stack.restarted == []
    assert sum(used.values()) < 4 << 30


def test_a_load_puts_every_day_into_the_tables_on_s3_once(station: CloudStation, loaded):
    rows = station.table("telemetry").groupby("date").size()

    assert set(states(loaded).values()) <= {"success", "skipped"}
    assert set(tries(loaded).values()) <= {0, 1}
    assert rows.to_dict() == {day_after(n): ROWS_A_DAY for n in LOADED}


def test_the_logs_of_tasks_are_read_from_s3(station: CloudStation, loaded):
    assert "plan" in states(loaded)

    assert "station" in station.log(loaded, "plan")


def test_training_ends_in_a_live_version(station: CloudStation, trained):
    champion = station.champion()

    assert trained.succeeded, states(trained)
    assert champion is not None
    assert ledger.verify(station.ledger()) is None


def test_a_day_is_ingested_and_scored_by_its_own_dags(station: CloudStation, trained):
    assert trained.succeeded
    day = day_after(45)
    ingested = station.run("ingest", partition_key=str(day))

    assert ingested.succeeded, states(ingested)
    limit = time.monotonic() + 240
    while day not in set(station.table("scores")["date"]):
        assert time.monotonic() < limit, "the day was never scored"
        time.sleep(1)
    assert (station.table("scores", first_day=day)["role"] == "champion").all()
