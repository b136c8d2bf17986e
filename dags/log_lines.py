"""Detector, partition and run as fields of every log line of a task.

Airflow calls `begin` in the task's process before it executes the task and `end` after it, so its
own lines about a failure have them as well. The step adds the version as soon as it knows one.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from dags.context import as_of_day
from pipeline import log_context
from pipeline.dag_ids import parts

_AS_OF = ("train", "recalibrate")
"""DAGs that read the days before one day, which is logged as their partition."""


def begin(context: Context) -> None:
    """Add the fields to the log lines of this task."""
    run: Any = context["dag_run"]
    detector, verb = parts(run.dag_id)
    log_context.bind(
        detector=detector,
        partition=as_of_day() if verb in _AS_OF else _partition(context),
        run=f"{run.dag_id}/{run.run_id}",
    )


def end(_: Context) -> None:
    """Remove the fields, as the next task may run in the same process."""
    log_context.unbind()


LOG_LINES: dict[str, Any] = {
    "on_execute_callback": begin,
    "on_success_callback": end,
    "on_skipped_callback": end,
    "on_retry_callback": end,
    "on_failure_callback": end,
}
"""For a DAG's `default_args`."""


def _partition(context: Context) -> str:
    """The day of a partitioned run, or the days of a range or of a group of it."""
    params, ti = context["params"], context["ti"]
    group = (getattr(ti.task, "op_kwargs", None) or {}).get("days")
    if isinstance(group, list):
        return log_context.partition_of(group)
    ends = [params.get("from_day"), params.get("to_day")]
    if all(ends):
        return log_context.partition_of([str(day) for day in ends])
    return str(context.get("partition_key") or params.get("partition") or "")
