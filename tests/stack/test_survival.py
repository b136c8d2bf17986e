"""The stack loses a part in the middle of the work: nothing is lost, nothing is there twice.

Last in the order of names, because services that lost a neighbour may have been restarted.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.plant import ROWS_A_DAY, day_after
from tests.integration.station import states
from tests.stack.deployment import QUEUED_AGAIN_S
from tests.stack.station import CloudStation

if TYPE_CHECKING:
    from deploy.airflow_api import AirflowApi, RunResult
    from tests.stack.running import Stack

pytestmark = pytest.mark.stack

LOAD = "group.load"
AGAIN_S = 75.0
# Airflow checks every ten seconds, and by default gives up a task that has waited three times.
AWAY_S = 3 * (QUEUED_AGAIN_S + 10) + 5.0
HEALTHY_S = 180.0


@pytest.fixture(scope="module")
def wide(station: CloudStation, stack: Stack, airflow: AirflowApi) -> CloudStation:  # noqa: ARG001 - it delivers the days
    """A second detector on the same source: what is loaded here is loaded for the first time."""
    found = CloudStation("wide", stack, airflow)
    found.wake("load", "score")
    return found


@pytest.fixture(autouse=True)
def whole_again(stack: Stack):
    """Repairs the stack after each test."""
    yield
    for name, container in stack.containers.items():
        if container.service.restarts and container.status is not None:
            container.start()
        if container.service.restarts:
            stack.wait_healthy(name, limit_s=HEALTHY_S)


def holds_every_day_once(station: CloudStation, first: int, last: int) -> None:
    days = [day_after(n) for n in range(first, last + 1)]
    rows = station.table("telemetry", first_day=days[0], last_day=days[-1])

    assert rows.groupby("date").size().to_dict() == dict.fromkeys(days, ROWS_A_DAY)
    assert not rows.duplicated(["time", "pump"]).any()


def tries_of(run: RunResult) -> dict[tuple[str, int], int]:
    return {(task.task_id, task.map_index): task.try_number for task in run.tasks}


def test_a_task_whose_worker_is_killed_runs_again_on_the_other(wide: CloudStation, stack: Stack):
    run = wide.begin_load(0, 9, days_a_group=5)
    lost = wide.wait_for_running("load", run, LOAD)
    stack[lost.worker].signal(signal.SIGKILL)
    killed = time.monotonic()

    again = wide.wait_for_try("load", run, LOAD, lost.map_index, number=2)
    took = time.monotonic() - killed
    print(f"running again after {took:.1f} s")  # noqa: T201 - a measurement, seen with -s
    ended = wide.end("load", run)

    assert again.worker != lost.worker
    assert took <= AGAIN_S
    assert ended.succeeded, states(ended)
    holds_every_day_once(wide, 0, 9)


def test_a_worker_that_is_asked_to_stop_ends_its_tasks_first(wide: CloudStation, stack: Stack):
    run = wide.begin_load(10, 19, days_a_group=5)
    worker = stack[wide.wait_for_running("load", run, LOAD).worker]
    stopping = threading.Thread(target=worker.stop)
    stopping.start()

    ended = wide.end("load", run)
    stopping.join(timeout=120)

    assert worker.status is not None
    assert ended.succeeded, states(ended)
    assert set(tries_of(ended).values()) <= {0, 1}  # a skipped task was never tried
    holds_every_day_once(wide, 10, 19)


def test_tasks_whose_messages_are_lost_are_queued_again(
    wide: CloudStation, secrets: dict[str, str]
):
    run = wide.begin_load(20, 29, days_a_group=1)
    wide.wait_for_running("load", run, LOAD)
    flush(secrets["VALKEY_PASSWORD"])

    ended = wide.end("load", run)

    assert ended.succeeded, states(ended)
    assert set(tries_of(ended).values()) <= {0, 1}
    holds_every_day_once(wide, 20, 29)


def test_tasks_wait_for_workers_however_long_these_are_away(wide: CloudStation, stack: Stack):
    workers = [name for name in stack.containers if name.startswith("airflow-worker")]
    for name in workers:
        stack[name].kill()
    run = wide.begin_load(20, 23, days_a_group=2)
    time.sleep(AWAY_S)
    for name in workers:
        stack[name].start()

    ended = wide.end("load", run)

    assert ended.succeeded, states(ended)
    # Airflow queues what waited for long again; where the workers are back at that moment, both
    # messages arrive, and the second one costs the task a try before it has begun.
    assert set(tries_of(ended).values()) <= {0, 1, 2}
    holds_every_day_once(wide, 20, 23)


def test_a_load_survives_a_restart_of_the_object_store(wide: CloudStation, stack: Stack):
    run = wide.begin_load(30, 37, days_a_group=2)
    wide.wait_for_running("load", run, LOAD)
    stack["seaweedfs"].stop()
    stack["seaweedfs"].start()

    ended = wide.end("load", run)

    assert ended.succeeded, states(ended)
    holds_every_day_once(wide, 30, 37)


def test_a_load_survives_a_restart_of_the_database(wide: CloudStation, stack: Stack):
    run = wide.begin_load(38, 45, days_a_group=2)
    wide.wait_for_running("load", run, LOAD)
    stack["postgres"].stop()
    stack["postgres"].start()
    stack.wait_healthy("postgres", limit_s=HEALTHY_S)
    stack.wait_healthy("airflow-api-server", limit_s=HEALTHY_S)

    ended = wide.end("load", run)

    assert ended.succeeded, states(ended)
    holds_every_day_once(wide, 38, 45)


def test_training_survives_the_loss_of_the_model_server(station: CloudStation, stack: Stack):
    if day_after(44) not in set(station.table("ingestions")["date"]):
        assert station.load(0, 44).succeeded
    before = station.numbers()
    run = station.begin("train", conf={"as_of": str(day_after(44))})
    station.wait_for_running("train", run, "train")
    stack["mlflow"].stop()
    time.sleep(10)
    stack["mlflow"].start()

    ended = station.end("train", run)

    assert ended.succeeded, states(ended)
    assert len(station.numbers()) == len(before) + 1


def flush(password: str) -> None:
    """Wipe the broker."""
    with socket.create_connection(("127.0.0.1", 6379), timeout=5) as broker:
        broker.sendall(f"AUTH {password}\r\nFLUSHALL\r\n".encode())
        answer = broker.recv(100)
        while answer.count(b"+OK") < 2:
            answer += broker.recv(100)
