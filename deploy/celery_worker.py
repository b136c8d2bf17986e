"""The Celery settings of a worker: Airflow's own, and hooks for what it does besides its tasks.

Only workers name this module (`AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS`). The scheduler uses
Airflow's settings as they are and stays small.
"""

from __future__ import annotations

import gc
from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import worker_init, worker_ready

from deploy.preloading import preload

# The scheduler reads a task's result within minutes; people may look back a week.
CELERY_CONFIG: dict[str, Any] = {**DEFAULT_CELERY_CONFIG, "result_expires": 7 * 24 * 3600}

_EACH_S = 3600.0


@worker_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def import_what_tasks_need(**_: object) -> None:
    """Preload before the worker forks its pool; commands that query workers do not run this."""
    preload()
    # Half a million permanent objects: garbage collection among them makes a task a tenth slower,
    # and copies the memory that it shares with its worker.
    gc.collect()
    gc.freeze()


@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def delete_old_results(sender: Any, **_: object) -> None:
    """Delete old results each hour in the worker's own loop; Celery's scheduler does not run."""
    sender.timer.call_repeatedly(_EACH_S, sender.app.backend.cleanup)
