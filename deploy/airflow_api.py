"""A small client of Airflow's REST API, for the demo and the integration tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from deploy.embedded.errors import StackError
from deploy.embedded.stack import LOGIN, Stack

FINISHED = frozenset({"success", "failed"})
POLL_S = 1.0
PAGE = 100  # Airflow's largest number of items a page
UNAUTHORIZED, NOT_FOUND, CONFLICT = 401, 404, 409


class AirflowApiError(StackError):
    """Airflow refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class TaskState:
    """One task of a run; `map_index` is -1 unless it is mapped, `state` None before scheduling."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    duration_s: float | None


@dataclass(frozen=True)
class RunResult:
    """A finished DAG run."""

    dag_id: str
    run_id: str
    state: str
    tasks: tuple[TaskState, ...]

    @property
    def succeeded(self) -> bool:
        """Whether the run ended in success."""
        return self.state == "success"


class AirflowApi:
    """Requests of one signed-in user; an expired token is replaced automatically."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        # Proxies of the environment are for other machines.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False, transport=transport)
        self._login = {"username": username, "password": password}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        **params: str | float,
    ) -> Any:
        """The JSON answer to `method` on `/api/v2/<path>`.

        Raises:
            AirflowApiError: the answer is not a success.
        """
        for attempt in ("with the token we have", "with a new one"):
            if attempt == "with a new one" or "Authorization" not in self._http.headers:
                self._sign_in()
            answer = self._http.request(method, f"/api/v2/{path}", json=body, params=params)
            if answer.status_code != UNAUTHORIZED:
                break
        return _content(answer)

    def wait_for_dag(self, dag_id: str, *, limit_s: float = 120) -> None:
        """Return once the DAG processor has parsed `dag_id`.

        Raises:
            StackError: a DAG file does not import, or the DAG does not appear in time.
        """
        deadline = time.monotonic() + limit_s
        while not self._exists(f"dags/{dag_id}"):
            errors = self.request("GET", "importErrors")["import_errors"]
            if errors or time.monotonic() > deadline:
                found = "\n".join(f"{e['filename']}:\n{e['stack_trace']}" for e in errors)
                raise StackError(f"DAG {dag_id!r} is not there. {found or 'No file failed.'}")
            time.sleep(POLL_S)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self.request("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(
        self,
        dag_id: str,
        *,
        conf: Mapping[str, Any] | None = None,
        partition_key: str | None = None,
    ) -> str:
        """Start a run by hand, outside any schedule; returns its run id."""
        body = {"logical_date": None, "conf": dict(conf or {}), "partition_key": partition_key}
        return str(self.request("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        on_change: Callable[[TaskState], None] = lambda _: None,
        limit_s: float = 600,
    ) -> RunResult:
        """The run once it is finished; `on_change` is called for every change of a task's state.

        Raises:
            StackError: the run is not finished in time.
        """
        deadline = time.monotonic() + limit_s
        seen: dict[tuple[str, int], TaskState] = {}
        while True:
            # The run first: tasks read after a finished run are in their final state.
            run = self.run(dag_id, run_id)
            tasks = self.tasks(dag_id, run_id)
            for task in tasks:
                before = seen.get((task.task_id, task.map_index))
                if before is None or (before.state, before.try_number) != (
                    task.state,
                    task.try_number,
                ):
                    on_change(task)
                seen[task.task_id, task.map_index] = task
            if run["state"] in FINISHED:
                return RunResult(dag_id, run_id, run["state"], tuple(tasks))
            if time.monotonic() > deadline:
                states = ", ".join(f"{task.task_id} {task.state}" for task in tasks)
                raise StackError(f"{dag_id} {run_id} is not finished after {limit_s} s: {states}")
            time.sleep(POLL_S)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One DAG run as Airflow describes it."""
        return dict(self.request("GET", f"dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str, **filters: str | float) -> list[dict[str, Any]]:
        """All runs of the DAG that pass Airflow's own `filters`, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.request(
                "GET", f"dags/{dag_id}/dagRuns", None, limit=PAGE, offset=len(found), **filters
            )
            found += page["dag_runs"]
            if len(page["dag_runs"]) < PAGE:
                return found

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """The tasks of a run, mapped ones one by one."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.request("GET", path, limit=PAGE, offset=len(found))["task_instances"]
            found += page
            if len(page) < PAGE:
                break
        return [
            TaskState(t["task_id"], t["map_index"], t["state"], t["try_number"], t["duration"])
            for t in found
        ]

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """The value that a task pushed under `key`."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.request("GET", path, map_index=map_index)["value"]

    def links(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1
    ) -> dict[str, str | None]:
        """The extra links of a task, by label; None where a link has no target."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        return dict(self.request("GET", path, map_index=map_index)["extra_links"])

    def ensure_pool(self, name: str, *, slots: int, description: str) -> None:
        """Create the pool unless there is one; an operator's own size is left alone."""
        if self._exists(f"pools/{name}"):
            return
        body = {"name": name, "slots": slots, "description": description}
        self.request("POST", "pools", body)

    def _exists(self, path: str) -> bool:
        try:
            self.request("GET", path)
        except AirflowApiError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def _sign_in(self) -> None:
        self._http.headers.pop("Authorization", None)
        token = _content(self._http.post("/auth/token", json=self._login))["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"


def connect(stack: Stack) -> AirflowApi:
    """A client of the stack's Airflow, signed in as its administrator."""
    return AirflowApi(stack.airflow_url, LOGIN, stack.secrets.airflow_password)


def _content(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    request = answer.request
    raise AirflowApiError(
        answer.status_code,
        f"Airflow answered {request.method} {request.url.path} with {answer.status_code}: "
        f"{answer.text[:2000]}",
    )
