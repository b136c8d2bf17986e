"""The embedded stack itself, with DAGs made for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from deploy.embedded import health, leftovers, lifecycle, supervision
from deploy.embedded.backfill import backfill_runs, create_backfill, wait_for_backfill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import RunningStack, StartStack

pytestmark = pytest.mark.integration

DAGS = """
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, CronPartitionTimetable, get_current_context, task

with DAG("sums", schedule=None):
    @task
    def first():
        import os
        return {"storage": os.environ["PLIMSOLL_STORAGE"], "n": 41}

    @task(pool="training")
    def second(given):
        return given["n"] + 1

    second(first())

with DAG(
    "days",
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"
    ),
    start_date=datetime(2014, 1, 1, tzinfo=timezone.utc),
    catchup=False,
):
    @task
    def day():
        return get_current_context()["partition_key"]

    day()

with DAG("slow", schedule=None):
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def sleep():
        import time
        if get_current_context()["ti"].try_number == 1:
            time.sleep(600)

    sleep()
"""


@pytest.fixture(scope="module")
def stack(
    start_stack: StartStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    """A stack with the DAGs of this file."""
    dags = tmp_path_factory.mktemp("dags")
    (dags / "made.py").write_text(DAGS)
    with start_stack(dags=dags) as running:
        yield running


def test_a_dag_runs_through_the_real_scheduler_in_the_environment_of_the_stack(
    stack: RunningStack,
):
    stack.airflow.wait_for_dag("sums")
    stack.airflow.unpause("sums")
    changes: list[str | None] = []

    run_id = stack.airflow.trigger("sums")
    result = stack.airflow.wait_for_run(
        "sums", run_id, on_change=lambda task: changes.append(task.state)
    )

    assert result.succeeded
    assert stack.airflow.xcom("sums", run_id, "second") == 42
    assert stack.airflow.xcom("sums", run_id, "first")["storage"] == str(stack.storage)
    assert changes.count("success") == 2


def test_a_backfill_runs_every_day_once(stack: RunningStack):
    stack.airflow.wait_for_dag("days")
    stack.airflow.unpause("days")

    backfill = create_backfill(stack.airflow, "days", date(2014, 1, 30), date(2014, 2, 2))
    states = wait_for_backfill(stack.airflow, backfill)

    assert states == {"success": 4}
    keys = sorted(run["partition_key"] for run in backfill_runs(stack.airflow, backfill))
    assert keys == ["2014-01-30", "2014-01-31", "2014-02-01", "2014-02-02"]


def test_one_day_can_be_run_by_hand(stack: RunningStack):
    stack.airflow.wait_for_dag("days")
    stack.airflow.unpause("days")

    run_id = stack.airflow.trigger("days", partition_key="2014-06-05")
    stack.airflow.wait_for_run("days", run_id)

    assert stack.airflow.xcom("days", run_id, "day") == "2014-06-05"


def test_the_pools_for_work_in_single_file_exist(stack: RunningStack):
    pools = stack.airflow.request("GET", "pools")["pools"]

    slots = {pool["name"]: pool["slots"] for pool in pools}
    assert slots["promotion"] == 1
    assert slots["training"] == 1


def test_nothing_listens_beyond_the_loopback_interface(stack: RunningStack):
    states = supervision.program_states(stack.stack.layout) or {}
    tree = [
        process
        for state in states.values()
        for process in (
            psutil.Process(state.pid),
            *psutil.Process(state.pid).children(recursive=True),
        )
    ]

    addresses = {address for process in tree for address in listening(process)}

    assert addresses == {"127.0.0.1"}


def listening(process: psutil.Process) -> set[str]:
    """Addresses that the process listens on; none if it has ended since, as parsers of DAGs do."""
    try:
        open_ones = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return set()
    return {each.laddr.ip for each in open_ones if each.status == psutil.CONN_LISTEN}


@dataclass(frozen=True)
class Restart:
    """The state when the stack was stopped."""

    finished: str
    interrupted: str
    processes: frozenset[tuple[int, float]]


@pytest.fixture(scope="module")
def restart(stack: RunningStack) -> Restart:
    """The stack stopped and started again, with a run that had ended and one in the middle."""
    for dag_id in ("sums", "slow"):
        stack.airflow.wait_for_dag(dag_id)
        stack.airflow.unpause(dag_id)
    finished = stack.airflow.trigger("sums")
    stack.airflow.wait_for_run("sums", finished)
    _mlflow(stack, "experiments/create", {"name": "kept"})
    interrupted = stack.airflow.trigger("slow")
    _wait_until(lambda: stack.airflow.tasks("slow", interrupted)[0].state == "running")
    processes = _processes(stack)
    stack.restart()
    return Restart(finished, interrupted, processes)


def test_what_was_stored_survives_a_restart(stack: RunningStack, restart: Restart):
    assert stack.airflow.run("sums", restart.finished)["state"] == "success"

    found = _mlflow(stack, "experiments/search", {"max_results": 9})["experiments"]
    assert "kept" in {experiment["name"] for experiment in found}


def test_a_stop_leaves_no_process_behind(stack: RunningStack, restart: Restart):
    assert len(restart.processes) > 5
    assert not restart.processes & _processes(stack)


def test_a_task_that_was_stopped_with_the_stack_is_run_again(stack: RunningStack, restart: Restart):
    result = stack.airflow.wait_for_run("slow", restart.interrupted, limit_s=180)

    assert result.succeeded
    assert result.tasks[0].try_number == 2


def test_a_service_that_is_killed_is_started_again(stack: RunningStack):
    layout = stack.stack.layout
    before = (supervision.program_states(layout) or {})["mlflow"].pid

    os.kill(before, signal.SIGKILL)
    _wait_until(lambda: health.mlflow_unready(stack.stack) is not None)

    _wait_until(lambda: health.mlflow_unready(stack.stack) is None)
    assert (supervision.program_states(layout) or {})["mlflow"].pid != before


def test_mlflow_cannot_be_changed_or_read_without_the_login(stack: RunningStack):
    body = {"name": "strangers"}
    url = f"{stack.mlflow_url}/api/2.0/mlflow/experiments"

    with httpx.Client(trust_env=False, timeout=30) as stranger:
        refused = [
            stranger.post(f"{url}/create", json=body),
            stranger.get(f"{url}/get", params={"experiment_id": "0"}),
            stranger.post(f"{url}/create", json=body, auth=("admin", "wrong-password")),
        ]
        login = ("admin", stack.stack.secrets.airflow_password)
        admitted = stranger.get(f"{url}/get", params={"experiment_id": "0"}, auth=login)

    assert [answer.status_code for answer in refused] == [401, 401, 401]
    assert admitted.status_code == 200


def test_what_the_stack_writes_is_for_its_owner_alone(stack: RunningStack):
    layout = stack.stack.layout
    stack.airflow.wait_for_dag("sums")
    stack.airflow.unpause("sums")
    stack.airflow.wait_for_run("sums", stack.airflow.trigger("sums"))

    written = [path for root in (layout.logs, layout.mlflow) for path in root.rglob("*")]
    open_ones = {
        str(path): oct(path.lstat().st_mode & 0o777)
        for path in written
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    }

    assert any("dag_id=sums" in str(path) for path in written)
    assert open_ones == {}


def test_up_on_a_running_stack_says_so_and_names_the_file_with_the_login(stack: RunningStack):
    done = subprocess.run(
        [sys.executable, "-m", "deploy.embedded", "up"],
        env=dict(stack.asked),
        check=False,
        capture_output=True,
        text=True,
        cwd=stack.stack.layout.repository,
    )

    assert done.returncode == 0, done.stderr
    assert "already running" in done.stdout
    assert str(stack.stack.layout.logins) in done.stdout
    assert _secrets_in(done.stdout + done.stderr, stack) == []
    assert stack.stack.secrets.airflow_password in stack.stack.layout.logins.read_text()


def test_no_log_holds_a_secret(stack: RunningStack):
    logs = [path for path in stack.stack.layout.logs.rglob("*") if path.is_file()]

    assert len(logs) > 5
    assert [path for path in logs if _secrets_in(path.read_text(errors="replace"), stack)] == []


def test_a_running_stack_of_an_older_plimsoll_gets_its_login_by_up_and_keeps_what_it_holds(
    stack: RunningStack,
):
    layout = stack.stack.layout
    _mlflow(stack, "experiments/create", {"name": "older"})
    record = layout.run / "stack.json"
    content = json.loads(record.read_text())
    before = content["secrets"].pop("mlflow_token")
    record.write_text(json.dumps(content))
    layout.logins.unlink()
    said: list[str] = []

    again = lifecycle.up(layout, stack.asked, said.append)

    assert any("older Plimsoll" in line for line in said)
    assert again.secrets.mlflow_token not in ("", before)
    assert replace(again.secrets, mlflow_token=before) == stack.stack.secrets
    newer = replace(stack, stack=again)
    found = _mlflow(newer, "experiments/search", {"max_results": 9})["experiments"]
    assert "older" in {experiment["name"] for experiment in found}
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        _mlflow(stack, "experiments/search", {"max_results": 9})
    assert layout.logins.exists()


def _secrets_in(text: str, stack: RunningStack) -> list[str]:
    kept = asdict(stack.stack.secrets)
    values = {**kept.pop("role_passwords"), **kept}
    return [name for name, value in values.items() if value in text]


def _mlflow(stack: RunningStack, path: str, body: dict[str, Any]) -> Any:
    url = f"{stack.mlflow_url}/api/2.0/mlflow/{path}"
    token = {"Authorization": f"Bearer {stack.stack.secrets.mlflow_token}"}
    answer = httpx.post(url, json=body, headers=token, timeout=30, trust_env=False)
    return answer.raise_for_status().json()


def _processes(stack: RunningStack) -> frozenset[tuple[int, float]]:
    return frozenset(
        (process.pid, process.create_time())
        for process in leftovers.find_leftovers(stack.stack.layout)
    )


def _wait_until(happens: Callable[[], bool], *, limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < deadline, f"it did not happen in {limit_s} s"
        time.sleep(0.2)
