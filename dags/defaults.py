"""Defaults of every Plimsoll task: owner, time limit and retry policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule

from dags.log_lines import LOG_LINES
from pipeline.config import DetectorSpec
from pipeline.dag_ids import STARTING, dag_id
from pipeline.utc_day import end_of, midnight

TRAINING_POOL = "training"
PROMOTION_POOL = "promotion"

SIGNING_QUEUE = "signing"
"""Queue of the tasks that sign: promotions, rollbacks and people's answers.

Of the workers of the full stack only `airflow-signer` takes it, and only that one holds the private
keys. An executor without queues ignores it."""

SPAN_OF_GROUP = "{{ task.op_kwargs['days'][0] }} to {{ task.op_kwargs['days'][-1] }}"
"""Display name of a task that is mapped over groups of days."""

_RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                "pipeline.errors.DataError",
                "pipeline.errors.ConfigError",
                "pipeline.errors.BundleError",
                "pipeline.errors.PromotionConflict",
            ],
            action=RetryAction.FAIL,
            reason="The same input gives the same fault; a person or new data must fix it.",
        ),
        RetryRule(
            exception="pipeline.errors.OutageError",
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=1),
            reason="Something outside did not answer.",
        ),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "plimsoll",
    # A worker that dies costs an attempt, so a task without a retry would fail with its worker.
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_policy": _RETRY_POLICY,
    "execution_timeout": timedelta(minutes=30),
    # The result of a task is on its XCom tab; in the log it would hide the events.
    "show_return_value_in_logs": False,
    **LOG_LINES,
}


def detector_dag(spec: DetectorSpec, verb: str, *, schedule: Any, **own: Any) -> DAG:
    """The DAG `<detector>__<verb>` with the common defaults and the arguments `own`."""
    return DAG(
        dag_id=dag_id(spec.name, verb),
        schedule=schedule,
        description=spec.description or None,
        start_date=midnight(spec.schedule.start),
        catchup=False,
        # For a DAG that is new to Airflow; for a known one the user's choice stays.
        is_paused_upon_creation=verb in STARTING,
        default_args=DEFAULT_ARGS,
        tags=["plimsoll", spec.name, verb],
        **own,
    )


def last_tick(spec: DetectorSpec) -> datetime | None:
    """The DAGs' `end_date`, which binds scheduled runs only: the midnight after the last day."""
    end = spec.schedule.end
    return end_of(end) if end else None
