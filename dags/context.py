"""What a task reads from Airflow's context: its day, its as-of day, how its run was started."""

from __future__ import annotations

from datetime import date
from typing import Any, NoReturn

import structlog
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from pipeline.registry.pages import MLFLOW_PAGE

log = structlog.get_logger()

BACKFILL = "backfill"
"""Mark in an asset event of a run that a backfill started."""

Handed = Any
"""What one task hands the next: a reference while Airflow parses, a small dict when it runs."""


def day_of_this_run() -> str:
    """The partition of a scheduled, backfilled or manual run, as an ISO date."""
    context = get_current_context()
    key = context.get("partition_key") or context["params"].get("partition")
    if not key:
        msg = (
            "This run names no partition. Trigger it with a partition key (2014-05-01); many days "
            "at once are the business of the DAG that ends in __load."
        )
        raise AirflowFailException(msg)
    return date.fromisoformat(key).isoformat()


def as_of_day() -> str:
    """The day before which a run may look, as an ISO date; it never reads that day itself.

    What a person gave comes first, then what a drift verdict asked for, then the run's interval.
    """
    context = get_current_context()
    given = context["params"].get("as_of") or request().get("as_of")
    if given:
        return date.fromisoformat(given).isoformat()
    moment: Any = context.get("data_interval_end") or context["dag_run"].run_after
    return str(moment.date().isoformat())


def started_by_backfill() -> bool:
    """Whether a backfill started this run, or the run whose asset started it.

    A backfill never moves the champion by itself and never tells anyone anything.
    """
    # An enum of strings: `str()` of it would be "DagRunType.BACKFILL".
    return bool(get_current_context()["dag_run"].run_type == "backfill") or any(
        extra.get(BACKFILL) for extra in _extras()
    )


def started_by_schedule() -> bool:
    """Whether nobody but the clock asked for this run."""
    return bool(get_current_context()["dag_run"].run_type == "scheduled")


def request() -> dict[str, Any]:
    """What the newest asset event that started this run asks for; empty when none did."""
    return next(iter(reversed(_extras())), {})


def this_run() -> str:
    """The DAG run, as the ledger and the tables name it."""
    run = get_current_context()["dag_run"]
    return f"{run.dag_id}/{run.run_id}"


def skip(event: str, reason: str) -> NoReturn:
    """End the task pink, with its reason in the log: Airflow does not show the exception's."""
    log.info(event, reason=reason)
    raise AirflowSkipException(reason)


def leave_mlflow_page(address: str) -> None:
    """Give this task's MLflow button its address, and its log a link that can be clicked."""
    get_current_context()["ti"].xcom_push(key=MLFLOW_PAGE, value=address)
    # In the message, not beside it: Airflow's log page makes links of addresses only there.
    event = f"MLflow shows more: {address}"
    log.info(event)


def _extras() -> list[dict[str, Any]]:
    """What the asset events that started this run carry, oldest first."""
    by_asset: Any = get_current_context().get("triggering_asset_events") or {}
    events = [event for found in by_asset.values() for event in found]
    return [dict(event.extra or {}) for event in sorted(events, key=lambda e: e.timestamp)]
