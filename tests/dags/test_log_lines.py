"""A task's log lines, with Airflow's own logging and its own way of running a task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from structlog.contextvars import get_contextvars

from dags.log_lines import begin, end
from pipeline import log_context

REPOSITORY = Path(__file__).parents[2]

RUN_SCORE = """
import sys
from types import SimpleNamespace
from unittest import mock

import structlog
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.context import set_current_context
from airflow.sdk.log import configure_logging

from dags.score import score_dag
from pipeline import settings
from pipeline.steps import live
from tests.steps.pump_house import EIGHT_DAYS, open_house, station

house = open_house(settings.load())
house.deliver(station())
house.ingest(*EIGHT_DAYS)
house.promote(7)
live.champion_or_none = lambda _here, detector: house.by_alias(detector, "champion")
live.challenger = lambda _here, detector: house.by_alias(detector, "challenger")
live.previous = lambda _here, detector: house.by_alias(detector, "previous")

with open(sys.argv[1], "wb") as output:
    configure_logging(json_output=True, log_level="INFO", output=output)
    log = structlog.get_logger("runner")
    task = score_dag(house.spec).get_task("score")
    run = SimpleNamespace(dag_id="pumps__score", run_id="asset__1", run_type="asset_triggered")
    context = {"dag_run": run, "params": {}, "partition_key": str(EIGHT_DAYS[0]),
               "ti": SimpleNamespace(task=task, xcom_push=mock.Mock())}
    with set_current_context(context):
        task_runner._run_task_state_change_callbacks(task, "on_execute_callback", context, log)
        task_runner._run_execute_callable(context, task.execute, task)
        task_runner._run_task_state_change_callbacks(task, "on_success_callback", context, log)
    log.info("after_the_task")
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """The log records of one run of the task `score`, by event."""
    home = tmp_path_factory.mktemp("task")
    folders = {name: home / name.lower() for name in ("STORAGE", "DETECTORS", "DATA", "CACHE")}
    for folder in folders.values():
        folder.mkdir()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN_SCORE, str(home / "task.log")],
        env={
            **{key: value for key, value in os.environ.items() if key != "PYTEST_VERSION"},
            **{f"PLIMSOLL_{name}": str(folder) for name, folder in folders.items()},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(REPOSITORY),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    records = map(json.loads, (home / "task.log").read_text().splitlines())
    return {line["event"]: line for line in records}


def test_a_log_line_inside_a_step_has_detector_partition_run_and_version(lines):
    scored = lines["days_scored"]

    assert {key: scored[key] for key in log_context.KEYS} == {
        "detector": "pumps",
        "partition": "2024-01-01",
        "run": "pumps__score/asset__1",
        "version": 7,
    }


def test_the_log_context_of_a_task_ends_with_it(lines):
    assert not set(log_context.KEYS) & lines["after_the_task"].keys()


def context_of(dag_id, *, params=None, key=None, **arguments):
    return {
        "dag_run": SimpleNamespace(dag_id=dag_id, run_id="r1"),
        "params": params or {},
        "partition_key": key,
        "ti": SimpleNamespace(task=SimpleNamespace(op_kwargs=arguments)),
    }


def bound_by(context):
    begin(context)
    carried = get_contextvars()
    end(context)
    return {key: carried[key] for key in log_context.KEYS if key in carried}


def test_a_range_is_logged_from_its_first_to_its_last_day():
    params = {"from_day": "2014-05-01", "to_day": "2014-06-30"}

    assert bound_by(context_of("pumps__load", params=params))["partition"] == (
        "2014-05-01/2014-06-30"
    )


def test_a_group_of_a_range_is_logged_by_its_own_days():
    params = {"from_day": "2014-05-01", "to_day": "2014-06-30"}
    group = ["2014-05-01", "2014-05-02", "2014-05-03"]

    fields = bound_by(context_of("pumps__load", params=params, detector="pumps", days=group))

    assert fields["partition"] == "2014-05-01/2014-05-03"


def test_a_run_without_a_partition_is_logged_without_one():
    assert bound_by(context_of("pumps__label")) == {
        "detector": "pumps",
        "run": "pumps__label/r1",
    }


def test_a_detector_with_a_double_underscore_in_its_name_is_logged_completely():
    fields = bound_by(context_of("north__pumps__label"))

    assert fields["detector"] == "north__pumps"


def test_a_task_that_did_not_end_leaves_nothing_to_the_next():
    begin(context_of("pumps__score", key="2014-05-01"))
    structlog.contextvars.bind_contextvars(version=7)

    assert bound_by(context_of("pumps__label")) == {
        "detector": "pumps",
        "run": "pumps__label/r1",
    }
