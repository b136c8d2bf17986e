"""The main job on the full stack: history loaded by two workers, a detector trained and live, its
threshold recalibrated, rolled back. Tables on S3, artifacts behind MLflow, tasks on Celery."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.plant import ROWS_A_DAY, day_after
from tests.integration.station import states, tries

if TYPE_CHECKING:
    from deploy.airflow_api import RunResult
    from tests.stack.running import Stack
    from tests.stack.station import CloudStation

pytestmark = pytest.mark.stack

LOADED = range(45)
AS_OF = day_after(36)
SLOTS = 4  # two workers with two tasks each, as the file says


@pytest.fixture(scope="module")
def loaded(station: CloudStation) -> RunResult:
    return station.load(LOADED[0], LOADED[-1])


@pytest.fixture(scope="module")
def trained(station: CloudStation, loaded: RunResult) -> RunResult:
    assert loaded.succeeded
    return station.train(AS_OF)


def test_the_stack_is_healthy_in_time_and_small(stack: Stack):
    used = stack.memory()

    print({name: round(s, 1) for name, s in stack.healthy_after.items()})  # noqa: T201 - a measurement, seen with -s
    print({name: f"{size >> 20} MiB" for name, size in used.items()})  # noqa: T201 - a measurement, seen with -s
    assert stack.restarted == []
    assert sum(used.values()) < 4 << 30


def test_a_load_puts_every_day_into_the_tables_on_s3_once(station: CloudStation, loaded):
    rows = station.table("telemetry").groupby("date").size()

    assert set(states(loaded).values()) <= {"success", "skipped"}
    assert set(tries(loaded).values()) <= {0, 1}
    assert rows.to_dict() == {day_after(n): ROWS_A_DAY for n in LOADED}


def test_no_more_tasks_are_handed_out_than_workers_take_at_once(station: CloudStation, loaded):
    assert loaded.succeeded
    run = station.begin_load(LOADED[0], LOADED[-1], days_a_group=4)
    most: Counter[str | None] = Counter()
    while station.airflow.run("station__load", run)["state"] not in {"success", "failed"}:
        now = Counter(each.state for each in station.attempts("load", run))
        now["handed out"] = now["queued"] + now["running"]
        most |= now

    assert station.end("load", run).succeeded
    assert most["handed out"] == SLOTS
    assert most["scheduled"] > 0


def test_the_logs_of_tasks_are_read_from_s3(station: CloudStation, loaded):
    assert "plan_groups" in states(loaded)

    assert "station" in station.log(loaded, "plan_groups")


def test_training_ends_in_a_live_version(station: CloudStation, trained):
    champion = station.champion()

    assert trained.succeeded, states(trained)
    assert champion is not None
    assert station.ledger()


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


def test_stored_days_are_scored_again_by_groups(station: CloudStation, trained):
    assert trained.succeeded
    span = {"from_day": str(day_after(37)), "to_day": str(day_after(44))}

    again = station.run("load", conf={**span, "work": "score again", "days_a_group": 2})

    assert again.succeeded, states(again)
    scored = station.table("scores", first_day=day_after(37), last_day=day_after(44))
    champions = scored[scored["role"] == "champion"]
    assert champions.groupby("date").size().to_dict() == {
        day_after(n): ROWS_A_DAY for n in range(37, 45)
    }


def test_a_second_version_goes_live_and_is_rolled_back(station: CloudStation, trained):
    assert trained.succeeded
    first = station.champion()
    assert first is not None
    second = station.train(day_after(45))
    assert second.succeeded, states(second)
    live = station.champion()
    assert live is not None
    assert live.number != first.number

    back = station.run("rollback", conf={"target": "previous", "reason": "a test of the way back"})

    assert back.succeeded, states(back)
    champion = station.champion()
    assert champion is not None
    assert champion.number == first.number
    assert station.ledger()


def test_the_threshold_is_recalibrated_on_scored_rows(station: CloudStation, trained):
    assert trained.succeeded
    before = station.numbers()
    assert station.load(37, 47).succeeded

    recalibrated = station.run("recalibrate", conf={"as_of": str(day_after(48))})

    assert states(recalibrated)["gate"] == "success", states(recalibrated)
    assert len(station.numbers()) == len(before) + 1
    assert "recalibrated" in set(station.table("thresholds")["kind"])


def test_prometheus_sees_the_detector_and_what_its_tasks_cost(stack: Stack, trained):
    assert trained.succeeded
    stack.wait_healthy("prometheus", limit_s=60)

    assert samples('up{job="plimsoll"}') == [1.0]
    assert samples('up{job="seaweedfs"}') == [1.0]
    assert samples('plimsoll_accepted_rows{detector="station"}') == [float(ROWS_A_DAY)]
    assert samples('plimsoll_cpu_seconds_total{detector="station",dag="train"} > 1') != []


def test_the_command_line_of_the_stack_shows_the_status(stack: Stack, trained):
    assert trained.succeeded
    _, output = stack.run_tool("cli", "status", limit_s=120)

    assert "station: " in output, output
    assert "live        version" in output, output


def test_the_running_stack_is_backed_up_and_the_copy_is_whole(stack: Stack, trained):
    assert trained.succeeded
    made, output = stack.run_tool("backup", "create", "/backups/one", limit_s=240)
    assert made == 0, output

    whole, output = stack.run_tool("backup", "verify", "/backups/one", limit_s=240)

    assert whole == 0, output


def samples(query: str) -> list[float]:
    """Prometheus' answer, as soon as it has scraped anything."""
    limit = time.monotonic() + 90
    while True:
        answer = httpx.get(
            "http://127.0.0.1:9090/api/v1/query", params={"query": query}, trust_env=False
        )
        found = answer.raise_for_status().json()["data"]["result"]
        if found or time.monotonic() > limit:
            return [float(each["value"][1]) for each in found]
        time.sleep(2)
