"""The Celery settings of a worker: Airflow's own, and what a worker does besides its tasks.

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
    """Runs in the worker before its pool is forked, and not in commands that only ask workers."""
    preload()
    # Half a million objects that stay: a task that looks for garbage among them takes a tenth
    # longer, and copies the memory it shares with its worker.
    gc.collect()
    gc.freeze()


@worker_ready.connect  # type: ignore[untyped-decorator]
def delete_old_results(sender: Any, **_: object) -> None:
    """Each hour, in the worker's own loop: Celery leaves that to its scheduler, which we lack."""
    sender.timer.call_repeatedly(_EACH_S, sender.app.backend.cleanup)
