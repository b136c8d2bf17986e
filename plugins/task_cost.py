"""The cost of tasks: the processor time of each task's process, summed by detector and DAG.

Airflow 3 calls a task's listeners in the process that ran the task, after its end was reported, so
the processor time of the process is that of the task: it was forked for this one task, and the
clock of a fork begins at zero. Child processes count once they were waited for. A process that is
killed records nothing; nor does a deferred task.

An error here is logged and never fails a task.
"""

from __future__ import annotations

import resource

import structlog
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from pipeline import settings
from pipeline.dag_ids import parts

log = structlog.get_logger()


class TaskCost:
    """Listens for the end of tasks: success, failure or skip."""

    @hookimpl
    def on_task_instance_success(self, task_instance: RuntimeTaskInstance) -> None:
        """Add the task's processor time."""
        record_cost(task_instance)

    @hookimpl
    def on_task_instance_failed(self, task_instance: RuntimeTaskInstance) -> None:
        """Add the task's processor time."""
        record_cost(task_instance)

    @hookimpl
    def on_task_instance_skipped(self, task_instance: RuntimeTaskInstance) -> None:
        """Add the task's processor time."""
        record_cost(task_instance)


def record_cost(task_instance: object) -> None:
    """Add the processor time of this process to its DAG's sum; never raises."""
    try:
        # The API server calls the same hooks when a person marks a task, which costs nothing.

        if isinstance(task_instance, RuntimeTaskInstance):
            _record(task_instance.dag_id)
    except Exception as error:  # noqa: BLE001 - a cost unknown is no reason to fail
        log.warning("task_cost_unknown", reason=f"{type(error).__name__}: {error}")


def _record(dag_id: str) -> None:
    from pipeline.metrics import postgres  # noqa: PLC0415 - the scheduler loads this file and records nothing

    detector, verb = parts(dag_id)
    database = settings.load().database
    if detector and database is not None:
        postgres.spend(database, detector, verb, cpu_seconds())


def cpu_seconds() -> float:
    """Processor seconds of this process and of the children it waited for."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class TaskCostPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "plimsoll_task_cost"
    listeners = [TaskCost()]  # noqa: RUF012 - Airflow reads a plain class attribute
