"""The hooks of a worker, with Celery's own timer and a real result database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg2
import pytest
from celery import Celery
from kombu.asynchronous.timer import Timer

from deploy.celery_worker import CELERY_CONFIG, delete_old_results


@pytest.mark.integration
def test_results_older_than_a_week_are_deleted(database):
    app = Celery(backend=f"db+{database}")
    app.conf.update(result_expires=CELERY_CONFIG["result_expires"])
    for name, days in (("old", 8), ("young", 6)):
        app.backend.store_result(name, None, "SUCCESS")
        done = datetime.now(UTC) - timedelta(days=days)
        with psycopg2.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE celery_taskmeta SET date_done = %s WHERE task_id = %s", [done, name]
            )
    timer = Timer()

    delete_old_results(SimpleNamespace(app=app, timer=timer))
    [scheduled] = timer.queue
    scheduled.entry()

    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT task_id FROM celery_taskmeta")
        assert cursor.fetchall() == [("young",)]
