from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.embedded import health, supervision
from deploy.embedded.errors import StackError
from deploy.embedded.supervision import ProgramState

if TYPE_CHECKING:
    from deploy.embedded.stack import Stack

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def supervisor_says(monkeypatch: pytest.MonkeyPatch):
    def say(state: str) -> None:
        states = {"mlflow": ProgramState("mlflow", state, pid=1, uptime_s=1)}
        monkeypatch.setattr(supervision, "program_states", lambda _: states)

    return say


def airflow_answers(monkeypatch: pytest.MonkeyPatch, status: str, heartbeat: datetime) -> None:
    body: dict[str, Any] = {
        "scheduler": {"status": status, "latest_scheduler_heartbeat": heartbeat.isoformat()}
    }
    answer = httpx.Response(200, json=body, request=httpx.Request("GET", "http://x"))
    monkeypatch.setattr(httpx, "get", lambda *_, **__: answer)


def test_waiting_ends_when_the_service_is_ready(stack: Stack, supervisor_says):
    supervisor_says("STARTING")
    reasons = iter(["starting", None])

    health.wait_until_ready(stack.layout, "mlflow", lambda: next(reasons), print, limit_s=10)

    assert list(reasons) == []


def test_a_program_that_gave_up_ends_the_wait_with_the_last_lines_of_its_log(
    stack: Stack, supervisor_says
):
    supervisor_says("FATAL")
    stack.layout.log_of("mlflow").write_text("first\n" * 100 + "port in use\n")

    with pytest.raises(StackError) as failure:
        health.wait_until_ready(stack.layout, "mlflow", lambda: "refused", print, limit_s=10)

    assert "port in use" in str(failure.value)
    assert str(stack.layout.log_of("mlflow")) in str(failure.value)
    assert str(failure.value).count("first") < 100


def test_waiting_ends_at_the_limit(stack: Stack, supervisor_says):
    supervisor_says("RUNNING")

    with pytest.raises(StackError, match="refused"):
        health.wait_until_ready(stack.layout, "mlflow", lambda: "refused", print, limit_s=0)


def test_a_heartbeat_from_before_the_start_does_not_count(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    airflow_answers(monkeypatch, "healthy", NOW - timedelta(seconds=5))

    assert "no heartbeat" in str(health.airflow_unready(stack, "scheduler", NOW))


def test_a_healthy_part_with_a_fresh_heartbeat_is_ready(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    airflow_answers(monkeypatch, "healthy", NOW + timedelta(seconds=5))

    assert health.airflow_unready(stack, "scheduler", NOW) is None


def test_an_unhealthy_part_is_not_ready_although_the_status_code_is_200(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    airflow_answers(monkeypatch, "unhealthy", NOW + timedelta(seconds=5))

    assert health.airflow_unready(stack, "scheduler", NOW) == "scheduler is unhealthy"
