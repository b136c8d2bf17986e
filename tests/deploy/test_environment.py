from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from deploy.embedded.environment import build_environment, leave_record
from pipeline import settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from deploy.embedded.stack import Stack


def test_settings_of_another_airflow_or_mlflow_in_the_shell_are_dropped(stack: Stack):
    caller = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__XCOM_BACKEND": "elsewhere.Backend",
        "AIRFLOW_CONFIG": "/etc/airflow.cfg",
        "MLFLOW_TRACKING_URI": "http://elsewhere",
        "PGHOST": "elsewhere",
        "PYTHONHOME": "/usr",
    }

    environment = build_environment(stack, caller)

    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["MLFLOW_TRACKING_URI"] == stack.mlflow_url
    gone = {"AIRFLOW__CORE__XCOM_BACKEND", "AIRFLOW_CONFIG", "PGHOST", "PYTHONHOME"}
    assert not gone & environment.keys()


def test_connections_and_credentials_of_the_caller_reach_the_tasks(stack: Stack):
    caller = {"AIRFLOW_CONN_PLANT": "postgres://x", "AWS_ACCESS_KEY_ID": "k", "HOME": "/h"}

    environment = build_environment(stack, caller)

    assert caller.items() <= environment.items()


def test_nothing_listens_beyond_the_loopback_interface(stack: Stack):
    environment = build_environment(stack, {})

    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    urls = [value for value in environment.values() if "://" in value]
    assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}


def test_every_service_is_addressed_by_the_port_of_this_stack(stack: Stack):
    environment = build_environment(stack, {})

    def port(name: str) -> int | None:
        return urlsplit(environment[name]).port

    assert port("AIRFLOW__CORE__EXECUTION_API_SERVER_URL") == stack.ports.airflow
    assert port("MLFLOW_TRACKING_URI") == stack.ports.mlflow
    assert port("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") == stack.ports.postgres
    assert port("PLIMSOLL_DATABASE") == stack.ports.postgres


def test_all_state_lies_in_the_home_of_the_stack(stack: Stack):
    environment = build_environment(stack, {})

    for name in (
        "AIRFLOW_HOME",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
        "PLIMSOLL_STORAGE",
        "PLIMSOLL_CACHE",
    ):
        assert environment[name].startswith(f"{stack.layout.home}/")


def test_the_threads_of_a_task_follow_the_caller_when_he_says_how_many(stack: Stack):
    assert build_environment(stack, {"OMP_NUM_THREADS": "7"})["OMP_NUM_THREADS"] == "7"
    assert int(build_environment(stack, {})["OMP_NUM_THREADS"]) >= 1


def test_a_proxy_is_not_asked_for_the_machine_itself(stack: Stack):
    environment = build_environment(stack, {"HTTP_PROXY": "http://p", "NO_PROXY": "corp"})

    assert environment["NO_PROXY"] == "corp,127.0.0.1,localhost"


def test_airflow_accepts_the_key_that_it_encrypts_connections_with(stack: Stack):
    key = build_environment(stack, {})["AIRFLOW__CORE__FERNET_KEY"]

    assert Fernet(key).decrypt(Fernet(key).encrypt(b"secret")) == b"secret"


def test_dags_of_ones_own_lie_beside_those_of_the_detectors(stack: Stack, tmp_path: Path):
    more = replace(stack, layout=replace(stack.layout, dags=tmp_path))

    environment = build_environment(more, {})

    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [bundle["name"] for bundle in bundles] == ["detectors", "more"]
    assert bundles[1]["kwargs"] == {"path": str(tmp_path)}


def test_a_plain_shell_has_the_settings_of_the_tasks(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    leave_record(stack)
    monkeypatch.setenv("PLIMSOLL_HOME", str(stack.layout.home))
    plain = settings.load()

    for name, value in build_environment(stack, {}).items():
        if name.startswith("PLIMSOLL_") or name == "MLFLOW_TRACKING_URI":
            monkeypatch.setenv(name, value)

    assert settings.load() == plain
    assert plain.stack is not None
    assert plain.stack.socket == stack.layout.socket
    assert plain.stack.airflow.password == stack.secrets.airflow_password


def test_a_plain_shell_shows_mlflow_the_token_and_prints_none(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    leave_record(stack)
    monkeypatch.setenv("PLIMSOLL_HOME", str(stack.layout.home))
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)

    plain = settings.load()

    assert plain.mlflow_token == stack.secrets.mlflow_token
    for secret in (stack.secrets.mlflow_token, stack.secrets.airflow_password):
        assert secret not in repr(plain)


def test_the_token_of_the_stack_is_not_shown_to_another_mlflow(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    leave_record(stack)
    monkeypatch.setenv("PLIMSOLL_HOME", str(stack.layout.home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)  # another test may have handed it on

    assert settings.load().mlflow_token is None


def test_the_record_can_be_read_by_its_owner_only(stack: Stack):
    leave_record(stack)

    path = settings.record_path(stack.layout.home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_urls_of_sources_reach_the_tasks_and_are_not_left_on_disk(stack: Stack):
    caller = {"PLIMSOLL_SOURCE_PLANT": "postgresql://u:geheim@h/d"}

    environment = build_environment(stack, caller)
    leave_record(stack)

    assert caller.items() <= environment.items()
    assert "geheim" not in settings.record_path(stack.layout.home).read_text()
