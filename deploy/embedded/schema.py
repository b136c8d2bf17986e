"""Migration of the databases of MLflow and Airflow to the installed versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.ports import HOST
from deploy.embedded.stack import Stack
from pipeline.private_file import write_private

PACKAGES = {"mlflow": "mlflow", "airflow": "apache-airflow-core"}


def outdated(stack: Stack, service: str) -> bool:
    """Whether the schema of `service` was last written by another version than the installed.

    Either migration costs several seconds only to find nothing to do, so the versions are noted.
    """
    return _noted(stack).get(service) != version(PACKAGES[service])


def migrate_mlflow(stack: Stack, environment: Mapping[str, str]) -> None:
    """Create or upgrade MLflow's tables, by one process: the server's workers would race."""
    url = f"postgresql+psycopg2://mlflow@{HOST}:{stack.ports.postgres}/mlflow"
    # The password travels in the environment: arguments can be seen by every user.
    secret = {"PGPASSWORD": stack.secrets.role_passwords["mlflow"]}
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", url]
    _run(stack, "mlflow-migration", command, {**environment, **secret})


def migrate_airflow(stack: Stack, environment: Mapping[str, str]) -> None:
    """Create or upgrade Airflow's tables."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    _run(stack, "airflow-migration", command, environment)


def note_versions(stack: Stack) -> None:
    """Note that both schemas are those of the installed versions."""
    versions = {service: version(package) for service, package in PACKAGES.items()}
    write_private(_note(stack), json.dumps(versions) + "\n")


def _run(stack: Stack, name: str, command: list[str], environment: Mapping[str, str]) -> None:
    log = stack.layout.log_of(name)
    with log.open("w") as output:
        log.chmod(0o600)
        done = subprocess.run(
            command,
            env=dict(environment),
            cwd=stack.layout.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(f"  | {line}" for line in log.read_text().splitlines()[-20:])
        raise StackError(
            f"{' '.join(command[2:4])} ended with status {done.returncode}:{os.linesep}{tail}\n"
            f"The whole log: {log}"
        )


def _noted(stack: Stack) -> dict[str, str]:
    path = _note(stack)
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _note(stack: Stack) -> Path:
    # Beside the cluster, so that the record is removed with the databases.
    return stack.layout.postgres / "schema.json"
