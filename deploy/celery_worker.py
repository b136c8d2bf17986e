"""The Celery settings of a worker: Airflow's own, with what tasks need imported before they fork.

Only workers name this module (`AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS`). The scheduler uses
Airflow's settings as they are and stays small.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import worker_init

from deploy.preloading import preload

CELERY_CONFIG: dict[str, Any] = dict(DEFAULT_CELERY_CONFIG)


@worker_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def import_what_tasks_need(**_: object) -> None:
    """Runs in the worker before its pool is forked, and not in commands that only ask workers."""
    preload()
