"""What every Plimsoll task has in common: owner, time limit and the one retry policy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

TRAINING_POOL = "training"
PROMOTION_POOL = "promotion"

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
            reason="The same input gives the same fault; a person or new data must mend it.",
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
}
