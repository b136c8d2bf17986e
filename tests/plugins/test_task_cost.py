"""The listener that adds up what tasks cost, as Airflow itself finds and calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.metrics.postgres import newest

REPOSITORY = Path(__file__).parents[2]

# A task's process as Airflow 3.3 runs it: forked, hooks called by `finalize` when it has ended.
END_OF_TASKS = """
import json, sys, time
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.listener import get_listener_manager

hook = get_listener_manager().hook
dag_id = sys.argv[1]
task = RuntimeTaskInstance.model_construct(dag_id=dag_id)
while time.process_time() < 1.0:
    pass
hook.on_task_instance_success(previous_state=None, task_instance=task)
hook.on_task_instance_failed(previous_state=None, task_instance=task, error="broken")
hook.on_task_instance_skipped(previous_state=None, task_instance=task)
# The API server calls it like this when a person marks a task.
hook.on_task_instance_success(previous_state=None, task_instance=TaskInstance.__new__(TaskInstance))
print("RESULT", time.process_time())
"""


def end_tasks(home: Path, dag_id: str, database: str) -> float:
    """End three attempts at a task of `dag_id` in a process of its own; what it used."""
    done = subprocess.run(
        [sys.executable, "-c", END_OF_TASKS, dag_id],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "PYTHONPATH": str(REPOSITORY),
            "PLIMSOLL_DATABASE": database,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.rsplit("RESULT", 1)[1]))


@pytest.mark.integration
def test_every_end_of_a_task_adds_its_processor_time(tmp_path, database):
    used = end_tasks(tmp_path, "wind_farm__train", database)

    (cost,) = newest(database).costs
    assert (cost.detector, cost.dag, cost.tasks) == ("wind_farm", "train", 3)
    assert 3.0 <= cost.cpu_seconds <= 3 * used


def test_a_store_that_is_down_fails_no_task(tmp_path):
    assert end_tasks(tmp_path, "pumps__score", "postgresql://nobody:none@127.0.0.1:1/none") >= 1.0
