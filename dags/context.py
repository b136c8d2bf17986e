"""Values from Airflow's context: a task's day, its as-of day, how its run was started."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NoReturn, TypeVar

import structlog
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from pipeline.dag_ids import parts
from pipeline.registry.pages import MLFLOW_PAGE

log = structlog.get_logger()

BACKFILL = "backfill"
"""Key in an asset event of a run that a backfill started."""

_READS_LABELS = "recalibrate"
"""The DAG that is triggered by hand for the labels that were made on the same day."""

TaskValue = Any
"""A value of Airflow's context, such as `params`, that it gives a task; None while parsing."""

Made = TypeVar("Made", bound=Mapping[str, object])


def day_of_this_run() -> str:
    """The partition of a scheduled, backfilled or manual run, as an ISO date."""
    context = get_current_context()
    key = context.get("partition_key") or context["params"].get("partition")
    if not key:
        msg = (
            "This run names no partition. Trigger it with a partition key (2014-05-01); for "
            "many days at once use the DAG that ends in __load."
        )
        raise AirflowFailException(msg)
    return date.fromisoformat(key).isoformat()


def as_of_day() -> str:
    """The as-of day of a run, as an ISO date: only days before it are read.

    From the form if given, else from a drift verdict's request, else from the run's interval. A run
    by hand has no interval: its as-of day is today, and for a recalibration tomorrow, so that
    today's labels count.
    """
    context = get_current_context()
    given = context["params"].get("as_of") or request().get("as_of")
    if given:
        return date.fromisoformat(given).isoformat()
    run: Any = context["dag_run"]
    moment: Any = context.get("data_interval_end")
    if moment is None:
        tomorrow = run.run_type == "manual" and parts(run.dag_id)[1] == _READS_LABELS
        moment = run.run_after + timedelta(days=tomorrow)
    return str(moment.date().isoformat())


def started_by_backfill() -> bool:
    """Whether a backfill started this run, or the run whose asset started it.

    A backfill never moves the champion by itself and never sends messages.
    """
    # An enum of strings: `str()` of it would be "DagRunType.BACKFILL".
    return bool(get_current_context()["dag_run"].run_type == "backfill") or any(
        extra.get(BACKFILL) for extra in _extras()
    )


def started_by_schedule() -> bool:
    """Whether the schedule started this run, rather than a person or an asset."""
    return bool(get_current_context()["dag_run"].run_type == "scheduled")


def request() -> dict[str, Any]:
    """The content of the newest asset event that started this run; empty without one."""
    return next(iter(reversed(_extras())), {})


def this_run() -> str:
    """The name of the DAG run in the ledger and the tables."""
    run = get_current_context()["dag_run"]
    return f"{run.dag_id}/{run.run_id}"


def skip(event: str, reason: str) -> NoReturn:
    """Skip the task, with the reason in the log: Airflow does not show the exception's."""
    log.info(event, reason=reason)
    raise AirflowSkipException(reason)


def leave_mlflow_page(address: str) -> None:
    """Set the address of this task's MLflow button, and log it as a link."""
    get_current_context()["ti"].xcom_push(key=MLFLOW_PAGE, value=address)
    # In the message, not in a field: Airflow's log page makes links of addresses only there.
    event = f"MLflow shows more: {address}"
    log.info(event)


def with_mlflow_page(made: Made) -> Made:
    """`made`, whose `page` becomes the address of this task's MLflow button."""
    leave_mlflow_page(str(made["page"]))
    return made


def _extras() -> list[dict[str, Any]]:
    """The contents of the asset events that started this run, oldest first."""
    by_asset: Any = get_current_context().get("triggering_asset_events") or {}
    events = [event for found in by_asset.values() for event in found]
    return [dict(event.extra or {}) for event in sorted(events, key=lambda e: e.timestamp)]
