"""The environment that MLflow, Airflow and Plimsoll's tasks run in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.embedded.layout import Layout
from deploy.embedded.ports import HOST
from deploy.embedded.stack import LOGIN, Stack
from deploy.preloading import FORK_SERVER
from pipeline.private_file import write_private
from pipeline.settings import Login, record_of, record_path

# Settings of another Airflow, MLflow or PostgreSQL in the caller's shell must not reach this one;
# connections and variables for the DAGs may.
FOREIGN = ("AIRFLOW", "MLFLOW_", "PG", "PYTHON", "_MLFLOW")
WELCOME = ("AIRFLOW_CONN_", "AIRFLOW_VAR_")

_OF_PROCESSES = ("PYTHONPATH", "PLIMSOLL_HOME")  # a shell finds the record by these

DETECTOR_BUNDLE: dict[str, Any] = {
    "name": "detectors",
    "classpath": "dags.detector_bundle.DetectorBundle",
    "kwargs": {},
}
"""The DAG bundles of Airflow, in any stack."""


def build_environment(stack: Stack, caller: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the stack's processes: the caller's, cleaned, with ours on top."""
    kept = {
        name: value
        for name, value in caller.items()
        if name.startswith(WELCOME) or not name.startswith(FOREIGN)
    }
    return {**kept, **_process(caller), **_airflow(stack), **_mlflow(stack), **_plimsoll(stack)}


def leave_record(stack: Stack) -> None:
    """Write the record that `pipeline.settings` reads in a plain shell: it holds passwords."""
    variables = _client_of_mlflow(stack)
    variables |= {
        name: value for name, value in _plimsoll(stack).items() if name not in _OF_PROCESSES
    }
    login = Login(stack.airflow_url, LOGIN, stack.secrets.airflow_password)
    record = record_of(variables, stack.layout.socket, login)
    write_private(record_path(stack.layout.home), json.dumps(record, indent=2) + "\n")


def _process(caller: Mapping[str, str]) -> dict[str, str]:
    binaries = Path(sys.executable).parent
    threads = max(1, (os.cpu_count() or 1) // 2)  # training leaves half the machine to the rest
    no_proxy = ",".join(filter(None, (caller.get("NO_PROXY"), HOST, "localhost")))
    return {
        "PATH": f"{binaries}{os.pathsep}{caller.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": caller.get("OMP_NUM_THREADS") or str(threads),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        # Without it setproctitle overwrites the block by which `leftovers` recognises processes.
        "SPT_NOENV": "1",
    }


def _airflow(stack: Stack) -> dict[str, str]:
    layout = stack.layout
    return {
        "AIRFLOW_HOME": str(layout.airflow),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(max(4, os.cpu_count() or 1)),
        "AIRFLOW__CORE__FERNET_KEY": stack.secrets.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.airflow_url}/execution/",
        "AIRFLOW__CORE__MP_FORKSERVER_PRELOAD": ",".join(FORK_SERVER),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.airflow / "logins.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stack.dsn("airflow", driver="+psycopg2"),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(stack.ports.airflow),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": stack.airflow_url,
        "AIRFLOW__API__INSTANCE_NAME": "Plimsoll",
        "AIRFLOW__API__DEFAULT_WRAP": "True",  # our errors end with the fix
        "AIRFLOW__API__SECRET_KEY": stack.secrets.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": stack.secrets.jwt_secret,
        "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # Tasks that died with their machine are noticed after one minute instead of five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(_bundles(layout)),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(layout.airflow / "bundles"),
        # How soon a new or changed detector file is seen; unchanged files are read seldom.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(layout.logs / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(layout.logs / "dags"),
        # Airflow sets these whatever the umask is, and lets everybody read by default.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        # The log server would listen on every address of the machine, so it is not started and
        # the UI reads the files; port 1 refuses at once where Airflow tries it all the same.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "1",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",  # else a line for each request
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _bundles(layout: Layout) -> list[dict[str, Any]]:
    if not layout.dags:
        return [DETECTOR_BUNDLE]
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    more = {"name": "more", "classpath": local, "kwargs": {"path": str(layout.dags)}}
    return [DETECTOR_BUNDLE, more]


def _client_of_mlflow(stack: Stack) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": stack.mlflow_url,
        "MLFLOW_TRACKING_TOKEN": stack.secrets.mlflow_token,
    }


def _mlflow(stack: Stack) -> dict[str, str]:
    return {
        **_client_of_mlflow(stack),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes that nothing here uses
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
        "MLFLOW_UV_AUTO_DETECT": "false",
        "MLFLOW_LOG_UV_FILES": "false",
        "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }


def _plimsoll(stack: Stack) -> dict[str, str]:
    layout = stack.layout
    return {
        "PYTHONPATH": str(layout.repository),
        "PLIMSOLL_HOME": str(layout.home),
        "PLIMSOLL_STORAGE": str(layout.lake),
        "PLIMSOLL_CACHE": str(layout.cache),
        "PLIMSOLL_DATA": str(layout.data),
        "PLIMSOLL_LINEAGE": str(layout.home / "lineage"),
        "PLIMSOLL_DETECTORS": str(layout.detectors),
        "PLIMSOLL_DATABASE": stack.dsn("plimsoll"),
        "PLIMSOLL_MLFLOW_URL": stack.mlflow_url,
    }
