"""Requests to Airflow's REST API: the state of the DAGs, and their deletion with a detector.

Only the embedded stack records its login (`pipeline.settings`); elsewhere Airflow is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.dag_ids import RETIRED, VERBS, dag_id, parts
from pipeline.errors import OutageError
from pipeline.settings import Login

_PATIENCE_S = 10.0
_PAGE = 100
_GONE = 404


@dataclass(frozen=True)
class Dag:
    """The state of one DAG in Airflow.

    Attributes:
        dag_id: `<detector>__<verb>`.
        paused: whether its runs wait.
        waiting: runs that are queued.
        running: runs that are running.
    """

    dag_id: str
    paused: bool
    waiting: int = 0
    running: int = 0

    @property
    def detector(self) -> str:
        """The detector."""
        return parts(self.dag_id)[0]

    @property
    def verb(self) -> str:
        """The verb."""
        return parts(self.dag_id)[1]


class Scheduler:
    """Requests to one Airflow, signed in."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def dags(self) -> list[Dag]:
        """Every DAG of a detector that has a file, by name; none of an earlier release.

        Raises:
            OutageError: Airflow does not answer, or refuses.
        """
        runs = list(self._every("dags/~/dagRuns", "dag_runs", state=["queued", "running"]))
        found = self._every("dags", "dags", tags="plimsoll")
        return sorted(
            (
                Dag(
                    each["dag_id"],
                    bool(each["is_paused"]),
                    waiting=_count(runs, each["dag_id"], "queued"),
                    running=_count(runs, each["dag_id"], "running"),
                )
                for each in found
                # Airflow lists one that is gone for a minute or two after an upgrade.
                if parts(each["dag_id"])[1] in VERBS
            ),
            key=lambda dag: dag.dag_id,
        )

    def dag_ids(self, detector: str) -> list[str]:
        """The DAGs that Airflow has of `detector`: those without a file and retired ones, too.

        Raises:
            OutageError: Airflow does not answer, or refuses.
        """
        shown = self._every("dags", "dags", dag_id_pattern=f"{detector}__%", exclude_stale="false")
        mine = {dag_id(detector, verb) for verb in (*VERBS, *RETIRED)}
        return sorted(mine & {str(each["dag_id"]) for each in shown})

    def at_work(self, detector: str) -> list[str]:
        """Runs of `detector` that are running, as `<dag>/<run>`.

        Raises:
            OutageError: Airflow does not answer, or refuses.
        """
        runs = self._every("dags/~/dagRuns", "dag_runs", state="running")
        return [
            f"{run['dag_id']}/{run['dag_run_id']}"
            for run in runs
            if parts(run["dag_id"])[0] == detector
        ]

    def delete(self, name: str) -> None:
        """Delete the DAG `name` and its runs; no error if it is gone already.

        Raises:
            OutageError: Airflow does not answer, or refuses: runs of it are at work.
        """
        self._asked("DELETE", f"dags/{name}", absent_ok=True)

    def _every(self, path: str, key: str, **filters: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._asked("GET", path, limit=_PAGE, offset=offset, **filters)[key]
            yield from page
            offset += len(page)
            if len(page) < _PAGE:
                return

    def _asked(self, method: str, path: str, *, absent_ok: bool = False, **params: Any) -> Any:
        return _answer(self._http, method, f"/api/v2/{path}", absent_ok=absent_ok, params=params)


@contextmanager
def signed_in(login: Login) -> Iterator[Scheduler]:
    """Airflow, as `login`.

    Raises:
        OutageError: it does not answer, or refuses `login`.
    """
    # Proxies of the environment are for other machines.
    with httpx.Client(base_url=login.url, timeout=_PATIENCE_S, trust_env=False) as http:
        who = {"username": login.username, "password": login.password}
        token = _answer(http, "POST", "/auth/token", json=who)["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield Scheduler(http)


def _answer(
    http: httpx.Client, method: str, path: str, *, absent_ok: bool = False, **content: Any
) -> Any:
    where = f"Airflow at {http.base_url}"
    try:
        answer = http.request(method, path, **content)
        if answer.is_success:
            return answer.json() if answer.content else None
    except (httpx.HTTPError, ValueError) as error:
        msg = f"{where} does not answer ({type(error).__name__}); try again when it does."
        raise OutageError(msg) from error
    if absent_ok and answer.status_code == _GONE:
        return None
    msg = f"{where} refuses {method} {path} with status {answer.status_code}: {answer.text[:300]}"
    raise OutageError(msg)


def _count(runs: list[dict[str, Any]], name: str, state: str) -> int:
    return sum(run["dag_id"] == name and run["state"] == state for run in runs)
