"""Wait for a service to be ready, with messages, and not for a program that has died."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from deploy.embedded import supervision
from deploy.embedded.errors import StackError
from deploy.embedded.layout import Layout
from deploy.embedded.stack import Stack

POLL_S = 0.3
REPORT_S = 5.0
SHOWN_LINES = 20


def wait_until_ready(
    layout: Layout,
    program: str,
    unready: Callable[[], str | None],
    say: Callable[[str], None],
    *,
    limit_s: float,
) -> None:
    """Return once `unready` returns None; meanwhile report its result every few seconds.

    Raises:
        StackError: the program gave up or `limit_s` is over; shows the end of its log.
    """
    began = reported = time.monotonic()
    while (reason := unready()) is not None:
        now = time.monotonic()
        state = (supervision.program_states(layout) or {}).get(program)
        if state is None or state.state == "FATAL" or now - began > limit_s:
            raise StackError(
                f"{program} is not ready after {now - began:.0f} s "
                f"(supervisor says {state.state if state else 'nothing'}): {reason}\n"
                f"{log_tail(layout, program)}"
            )
        if now - reported >= REPORT_S:
            reported = now
            say(f"  waiting for {program}, {now - began:.0f} s: {reason}")
        time.sleep(POLL_S)


def log_tail(layout: Layout, program: str) -> str:
    """The last lines of a program's log, and where the rest is."""
    path = layout.log_of(program)
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    shown = "\n".join(f"  | {line}" for line in lines[-SHOWN_LINES:])
    return f"{shown}\nThe whole log: {path}".lstrip()


def mlflow_unready(stack: Stack) -> str | None:
    """None once the MLflow server answers, and accepts the stack's token."""
    shown = {"Authorization": f"Bearer {stack.secrets.mlflow_token}"}
    url = f"{stack.mlflow_url}/version"
    try:
        answer = httpx.get(url, headers=shown, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        return type(error).__name__
    return None if answer.is_success else f"status {answer.status_code}"


def airflow_unready(stack: Stack, component: str, since: datetime) -> str | None:
    """None once `component` has sent a heartbeat after `since` and Airflow calls it healthy.

    The status alone is not enough: just after a restart it is still that of the old process.
    """
    try:
        answer = httpx.get(f"{stack.airflow_url}/api/v2/monitor/health", timeout=5, trust_env=False)
        answer.raise_for_status()
        health = answer.json()[component]
    except httpx.HTTPError as error:
        return f"api-server: {type(error).__name__}"
    if health["status"] != "healthy":
        return f"{component} is {health['status'] or 'not started'}"
    heartbeat = health.get(f"latest_{component}_heartbeat")
    if heartbeat and datetime.fromisoformat(heartbeat).astimezone(UTC) < since:
        return f"{component} has sent no heartbeat yet"
    return None
