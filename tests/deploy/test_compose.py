"""The promises of `docker-compose.yml`, as the real Compose renders it."""

from __future__ import annotations

import json
import subprocess

import pytest

from dags.defaults import DEFAULT_ARGS
from deploy.embedded.environment import DETECTOR_BUNDLE
from deploy.secrets import EXAMPLE, SECRETS, completed
from tests.stack.composed import render, services_of

EVERYTHING = ("monitoring", "tools")
ONCE = {"airflow-init", "mlflow-init", "cli", "backup"}

CORE = {"airflow-init", "airflow-api-server", "airflow-scheduler"}
CORE |= {"airflow-dag-processor", "airflow-triggerer"}
WORKERS = {"airflow-worker", "airflow-signer"}
AIRFLOW = CORE | WORKERS
QUEUE = {"airflow-scheduler", *WORKERS}
SIGNERS = {"airflow-signer", "cli"}
WHO_HAS = {
    "POSTGRES_PASSWORD": {"postgres", "backup"},
    "AIRFLOW_DB_PASSWORD": {"postgres", *CORE},
    "CELERY_DB_PASSWORD": {"postgres", *QUEUE},
    "MLFLOW_DB_PASSWORD": {"postgres", "mlflow-init", "mlflow"},
    "PLIMSOLL_DB_PASSWORD": {"postgres", *WORKERS, "cli"},
    "PLIMSOLL_READER_DB_PASSWORD": {"postgres", "metrics", "grafana"},
    "VALKEY_PASSWORD": {"valkey", *QUEUE},
    "LAKE_ACCESS_KEY": {"seaweedfs", *WORKERS, "cli", "backup"},
    "LAKE_SECRET_KEY": {"seaweedfs", *WORKERS, "cli", "backup"},
    "MLFLOW_ACCESS_KEY": {"seaweedfs", "mlflow", "backup"},
    "MLFLOW_SECRET_KEY": {"seaweedfs", "mlflow", "backup"},
    "LOGS_ACCESS_KEY": {"seaweedfs", *AIRFLOW},
    "LOGS_SECRET_KEY": {"seaweedfs", *AIRFLOW},
    "AIRFLOW_FERNET_KEY": CORE,
    "AIRFLOW_JWT_SECRET": CORE,
    "AIRFLOW_API_SECRET_KEY": {"airflow-api-server"},
    "MLFLOW_TOKEN": {"mlflow", *WORKERS, "cli"},
    "AIRFLOW_ADMIN_PASSWORD": {"airflow-init"},
    "MLFLOW_ADMIN_PASSWORD": {"mlflow"},
    "GRAFANA_ADMIN_PASSWORD": {"grafana"},
    "PLIMSOLL_LEDGER_DB_PASSWORD": {"postgres", *SIGNERS},
    "PLIMSOLL_LEDGER_PRIVATE_KEY": {*SIGNERS, "backup"},
    "PLIMSOLL_LEDGER_PUBLIC_KEYS": {*WORKERS, "cli", "backup"},
    "PLIMSOLL_ANSWERS_PRIVATE_KEY": SIGNERS,
    "PLIMSOLL_ANSWERS_PUBLIC_KEYS": {*WORKERS, "cli"},
    "PLIMSOLL_BACKUP_PRIVATE_KEY": {"backup"},
    "PLIMSOLL_BACKUP_PUBLIC_KEYS": {"backup"},
}
"""The whole table of docs/security.md: nobody else may have a secret."""


@pytest.fixture(scope="module")
def env_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("compose") / ".env"
    path.write_text(completed(EXAMPLE.read_text(), "")[0])
    return path


@pytest.fixture(scope="module")
def content(env_file):
    return render(env_file, profiles=EVERYTHING)


@pytest.fixture(scope="module")
def services(content):
    return content["services"]


@pytest.fixture(scope="module")
def lasting(services):
    """The services that run permanently."""
    return {name: definition for name, definition in services.items() if name not in ONCE}


def test_every_secret_reaches_only_the_services_that_need_it(env_file, content):
    lines = [line for line in env_file.read_text().splitlines() if "=" in line]
    values = {name: value for name, _, value in (line.partition("=") for line in lines)}

    seen = {name: set() for name in WHO_HAS}
    for service, definition in content["services"].items():
        everything = json.dumps(definition)
        for name, services in seen.items():
            if values[name] in everything:
                services.add(service)

    assert seen == WHO_HAS
    assert SECRETS.keys() <= seen.keys()


@pytest.mark.parametrize("secret", sorted(WHO_HAS))
def test_a_missing_secret_stops_compose_by_name(secret, env_file, tmp_path):
    lines = env_file.read_text().splitlines()
    without = tmp_path / ".env"
    without.write_text("\n".join(x for x in lines if not x.startswith(f"{secret}=")) + "\n")

    with pytest.raises(subprocess.CalledProcessError) as refused:
        render(without, profiles=EVERYTHING)

    assert secret in refused.value.stderr
    assert "make secrets" in refused.value.stderr


def test_ports_are_published_on_loopback_only_and_only_for_people(services):
    published = {
        (name, port["host_ip"])
        for name, definition in services.items()
        for port in definition.get("ports", [])
    }

    people = {"airflow-api-server", "mlflow", "prometheus", "grafana"}
    assert published == {(name, "127.0.0.1") for name in people}


def test_stores_cannot_be_reached_from_outside(content):
    inside = {"postgres", "seaweedfs", "valkey", "metrics"}

    assert content["networks"]["inside"]["internal"] is True
    for name in inside:
        assert list(content["services"][name]["networks"]) == ["inside"], name


def test_whatever_stays_is_checked_and_restarted(lasting):
    for name, definition in lasting.items():
        assert definition["healthcheck"]["test"], name
        assert definition["restart"] == "unless-stopped", name


def test_every_python_service_is_the_one_image(services):
    ours = {name: definition for name, definition in services.items() if "build" in definition}

    assert set(ours) >= AIRFLOW | {"mlflow", "mlflow-init", "metrics", "cli"}
    for name, definition in ours.items():
        assert definition["image"] == "plimsoll:latest", name
        assert definition["init"] is True, name


def test_workers_outlast_their_tasks_and_the_broker_outwaits_them(content):
    worker = services_of(content)["airflow-worker"]
    longest = DEFAULT_ARGS["execution_timeout"].total_seconds()
    waits = worker.environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]

    assert worker.replicas == 2
    assert worker.stop_grace_s > longest
    assert float(waits) > 2 * longest  # the broker would hand a running task out again


def test_a_service_starts_after_what_it_needs(content):
    needs = {name: service.needs for name, service in services_of(content).items()}

    assert needs["airflow-worker"]["airflow-init"] == "service_completed_successfully"
    assert needs["airflow-worker"]["valkey"] == "service_healthy"
    assert needs["mlflow"]["mlflow-init"] == "service_completed_successfully"
    assert needs["airflow-init"] == {"postgres": "service_healthy"}


def test_airflow_makes_its_dags_of_the_same_bundle_everywhere(services):
    name = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    definition = {
        service: json.loads(services[service]["environment"][name]) for service in AIRFLOW
    }

    assert definition == {service: [DETECTOR_BUNDLE] for service in AIRFLOW}
