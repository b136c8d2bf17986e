"""Backfills: run a DAG over a range of partitions, and wait for it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal

from deploy.airflow_api import CONFLICT, FINISHED, POLL_S, AirflowApi, AirflowApiError
from deploy.embedded.errors import StackError
from pipeline.data.grid import days_between

# Airflow allows one backfill a DAG and looks for finished ones every 30 s.
BUSY_LIMIT_S = 45.0


def create_backfill(
    airflow: AirflowApi,
    dag_id: str,
    first: date,
    last: date,
    *,
    max_active_runs: int = 4,
    reprocess: Literal["none", "failed", "completed"] = "none",
    conf: Mapping[str, Any] | None = None,
) -> int:
    """Start a backfill of the days `first` to `last`, both included; returns its id.

    Waits up to 45 s for an earlier backfill of the DAG, which Airflow calls running for up to half
    a minute after its last run has ended. The DAG has to be unpaused for the runs to start.

    Raises:
        AirflowApiError: Airflow refuses it, 409 when another one is still at work.
    """
    body = {
        "dag_id": dag_id,
        "from_date": f"{first.isoformat()}T00:00:00Z",
        "to_date": f"{last.isoformat()}T23:59:59Z",
        "max_active_runs": max_active_runs,
        "reprocess_behavior": reprocess,
        "dag_run_conf": dict(conf or {}),
    }
    deadline = time.monotonic() + BUSY_LIMIT_S
    while True:
        try:
            return int(airflow.request("POST", "backfills", body)["id"])
        except AirflowApiError as error:
            if error.status != CONFLICT or time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


def wait_for_backfill(
    airflow: AirflowApi,
    backfill_id: int,
    *,
    on_change: Callable[[Counter[str]], None] = lambda _: None,
    limit_s: float = 1800,
) -> Counter[str]:
    """Number of runs by state once all are finished; `on_change` is called for every new count.

    Empty, after Airflow has closed it, for a backfill whose days all had their runs before.

    Raises:
        StackError: they are not finished in time.
    """
    deadline = time.monotonic() + limit_s
    before: Counter[str] | None = None
    while True:
        # The backfill first: what is read after its end is complete.
        ended = airflow.request("GET", f"backfills/{backfill_id}")["completed_at"] is not None
        states = Counter(run["state"] for run in backfill_runs(airflow, backfill_id))
        if states != before:
            on_change(states)
        before = states
        if set(states) <= FINISHED and (states or ended):
            return states
        if time.monotonic() > deadline:
            raise StackError(f"Backfill {backfill_id} is not finished after {limit_s} s: {states}")
        time.sleep(POLL_S)


def wait_for_partitions(
    airflow: AirflowApi, dag_id: str, first: date, last: date, *, limit_s: float = 600
) -> dict[str, str]:
    """State of each day's newest run, once every day from `first` to `last` has a finished one.

    For a DAG that another one's partitions start; Airflow gives their runs no common name.

    Raises:
        StackError: they are not finished in time.
    """
    deadline = time.monotonic() + limit_s
    wanted = {day.isoformat() for day in days_between(first, last)}
    while True:
        states = {run["partition_key"]: run["state"] for run in airflow.runs(dag_id)}
        found = {key: states[key] for key in sorted(wanted & set(states))}
        if set(found) == wanted and set(found.values()) <= FINISHED:
            return found
        if time.monotonic() > deadline:
            absent = sorted(wanted - set(found))
            raise StackError(f"{dag_id}: not finished after {limit_s} s: {found}; absent: {absent}")
        time.sleep(POLL_S)


def backfill_runs(airflow: AirflowApi, backfill_id: int) -> list[dict[str, Any]]:
    """The runs that a backfill started.

    Airflow's API does not say which run belongs to which backfill, but a DAG has one backfill at a
    time: its runs are those queued between its creation and its end.
    """
    backfill = airflow.request("GET", f"backfills/{backfill_id}")
    began, ended = backfill["created_at"], backfill["completed_at"]
    return [
        run
        for run in airflow.runs(backfill["dag_id"], run_type="backfill")
        if run["queued_at"] >= began and (ended is None or run["queued_at"] <= ended)
    ]
