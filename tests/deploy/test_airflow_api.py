from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from deploy import airflow_api
from deploy.airflow_api import AirflowApi, AirflowApiError, TaskState
from deploy.embedded.backfill import backfill_runs
from deploy.embedded.errors import StackError


class FakeAirflow:
    """Answers from a list a path: one after the other, the last one for ever."""

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        self.answers = answers
        self.signed_in = 0
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/auth/token":
            self.signed_in += 1
            return httpx.Response(201, json={"access_token": f"token {self.signed_in}"})
        queue = self.answers[request.url.path.removeprefix("/api/v2/")]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, int):
            return httpx.Response(answer, text="refused because")
        return httpx.Response(200, json=answer)


def client(fake: FakeAirflow) -> AirflowApi:
    transport = httpx.MockTransport(fake)
    return AirflowApi("http://airflow", "admin", "secret", transport=transport)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(airflow_api, "POLL_S", 0)


def task(state: str | None, try_number: int = 1) -> dict[str, Any]:
    return {
        "task_id": "train",
        "map_index": -1,
        "state": state,
        "try_number": try_number,
        "duration": None,
    }


def test_one_sign_in_serves_many_requests():
    fake = FakeAirflow({"dags/d": [{}]})

    with client(fake) as airflow:
        airflow.unpause("d")
        airflow.unpause("d")

    assert fake.signed_in == 1
    assert fake.requests[-1].headers["Authorization"] == "Bearer token 1"


def test_a_token_that_ran_out_is_replaced():
    fake = FakeAirflow({"dags/d": [{}, 401, {}]})

    with client(fake) as airflow:
        airflow.unpause("d")
        airflow.unpause("d")

    assert fake.signed_in == 2


def test_a_refusal_names_the_request_the_status_and_the_reason():
    refusal = "PATCH /api/v2/dags/d with 403: refused because"

    with (
        client(FakeAirflow({"dags/d": [403]})) as airflow,
        pytest.raises(AirflowApiError, match=refusal),
    ):
        airflow.unpause("d")


def test_a_run_by_hand_has_a_partition_but_no_logical_date():
    fake = FakeAirflow({"dags/d/dagRuns": [{"dag_run_id": "r"}]})

    with client(fake) as airflow:
        run_id = airflow.trigger("d", partition_key="2014-01-01", conf={"a": 1})

    assert run_id == "r"
    assert json.loads(fake.requests[-1].content) == {
        "logical_date": None,
        "partition_key": "2014-01-01",
        "conf": {"a": 1},
    }


def test_every_change_of_a_task_is_reported_once():
    states = [task("queued"), task("running"), task("running"), task("running", 2), task("success")]
    fake = FakeAirflow(
        {
            "dags/d/dagRuns/r": [{"state": "running"}] * 4 + [{"state": "success"}],
            "dags/d/dagRuns/r/taskInstances": [{"task_instances": [state]} for state in states],
        }
    )
    changes: list[TaskState] = []

    with client(fake) as airflow:
        result = airflow.wait_for_run("d", "r", on_change=changes.append)

    assert result.succeeded
    assert [(c.state, c.try_number) for c in changes] == [
        ("queued", 1),
        ("running", 1),
        ("running", 2),
        ("success", 1),
    ]


def test_a_run_that_does_not_end_is_an_error_with_the_states_of_its_tasks():
    fake = FakeAirflow(
        {
            "dags/d/dagRuns/r": [{"state": "running"}],
            "dags/d/dagRuns/r/taskInstances": [{"task_instances": [task("queued")]}],
        }
    )

    with client(fake) as airflow, pytest.raises(StackError, match="train queued"):
        airflow.wait_for_run("d", "r", limit_s=0)


def test_a_dag_file_that_fails_to_import_is_shown_instead_of_waited_for():
    error = {"filename": "train.py", "stack_trace": "SyntaxError: here"}
    fake = FakeAirflow({"dags/d": [404], "importErrors": [{"import_errors": [error]}]})

    with client(fake) as airflow, pytest.raises(StackError, match="SyntaxError: here"):
        airflow.wait_for_dag("d")


def test_an_existing_pool_keeps_its_size():
    fake = FakeAirflow({"pools/training": [{"slots": 5}]})

    with client(fake) as airflow:
        airflow.ensure_pool("training", slots=1, description="")

    assert all(request.method == "GET" for request in fake.requests[1:])


def test_runs_of_other_backfills_are_not_counted():
    backfill = {
        "dag_id": "d",
        "created_at": "2026-01-02T00:00:00Z",
        "completed_at": "2026-01-03T00:00:00Z",
    }
    moments = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:01Z", "2026-01-04T00:00:00Z"]
    runs = [{"queued_at": moment, "state": "success"} for moment in moments]
    fake = FakeAirflow({"backfills/7": [backfill], "dags/d/dagRuns": [{"dag_runs": runs}]})

    with client(fake) as airflow:
        found = backfill_runs(airflow, 7)

    assert [run["queued_at"] for run in found] == ["2026-01-02T00:00:01Z"]
