"""Airflow's own metrics, from its own code with the environment of `docker-compose.yml`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from deploy.secrets import EXAMPLE, completed
from tests.deploy.otlp_sink import sink
from tests.stack.composed import render, services_of

WANTED = {
    "airflow.dag_processing.import_errors": "gauge",
    "airflow.dag_processing.total_parse_time": "gauge",
    "airflow.dag_processor_heartbeat": "sum",
    "airflow.executor.open_slots": "gauge",
    "airflow.executor.queued_tasks": "gauge",
    "airflow.executor.running_tasks": "gauge",
    "airflow.pool.queued_slots": "gauge",
    "airflow.pool.running_slots": "gauge",
    "airflow.scheduler.tasks.starving": "gauge",
    "airflow.scheduler_heartbeat": "sum",
    "airflow.triggerer_heartbeat": "sum",
}
"""What the rules, the runbook and the dashboard read, and nothing that grows with DAGs or tasks."""

EMIT = """
import string
from airflow._shared.observability.metrics.metrics_registry import (
    YAML_REGISTRY_PATH, read_metrics_yaml)
from airflow._shared.observability.metrics.otel_logger import flush_otel_metrics
from airflow.configuration import conf
from airflow.dag_processing.manager import emit_metrics
from airflow.executors.base_executor import BaseExecutor
from airflow.observability import stats
from airflow.observability.metrics.stats_utils import get_stats_factory

# As the scheduler, the DAG processor and the triggerer do when they start.
stats.initialize(factory=get_stats_factory(),
                 export_legacy_names=conf.getboolean("metrics", "legacy_names_on"))

BaseExecutor(parallelism=4)._emit_metrics(3, 1, 2)
emit_metrics(parse_time=0.5, dag_file_stats=[])
# Airflow sends this one under a name for each DAG, whatever legacy_names_on says.
stats.timing("dagrun.pumps__score.first_task_scheduling_delay", 0.1)

tell = {"counter": lambda name, tags: stats.incr(name, tags=tags),
        "gauge": lambda name, tags: stats.gauge(name, 1, tags=tags),
        "timer": lambda name, tags: stats.timing(name, 1.0, tags=tags)}
for metric in read_metrics_yaml(YAML_REGISTRY_PATH):
    variables = {name: "pumps__score" for name in metric.get("name_variables", [])}
    name = metric["name"].format(**variables)
    tell[metric["type"].lower()](name, variables)
flush_otel_metrics()
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    path = tmp_path_factory.mktemp("compose") / ".env"
    path.write_text(completed(EXAMPLE.read_text(), "")[0])
    return services_of(render(path))


@pytest.fixture(scope="module")
def received(services, tmp_path_factory):
    """What a receiver gets when Airflow emits every metric it knows, once."""
    home = tmp_path_factory.mktemp("airflow")
    composed = services["airflow-scheduler"].environment
    ours = {k: v for k, v in composed.items() if k.startswith(("AIRFLOW__METRICS__", "OTEL_"))}
    with sink() as found:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", EMIT],
            env={
                "PATH": os.environ["PATH"],
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
                "NO_PROXY": "127.0.0.1",
                **ours,
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "OTEL_EXPORTER_OTLP_ENDPOINT": found.url,
            },
            check=True,
            capture_output=True,
            text=True,
        )
    return found


def test_what_the_rules_read_arrives_and_nothing_else(received):
    assert received.kinds == WANTED


def test_it_arrives_where_prometheus_receives_it_and_under_one_service_name(received):
    assert received.paths == {"/api/v1/otlp/v1/metrics"}
    assert received.resource["service.name"] == "airflow"


def test_no_series_is_kept_for_each_dag_task_or_run(received):
    labels = {label for found in received.attributes.values() for label in found}

    assert not labels & {"dag_id", "task_id", "run_id", "file_name", "job_id"}


def test_nothing_arrives_as_a_histogram(received):
    # Airflow sends timers as exponential histograms, which Prometheus takes only with its native
    # histograms turned on.
    assert set(received.kinds.values()) == {"gauge", "sum"}
