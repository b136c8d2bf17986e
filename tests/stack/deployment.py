"""The settings of a deployment of the stack: its `.env`, and the addresses of its stores."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.settings import REPOSITORY

QUEUED_AGAIN_S = 20
"""A third of the value in the file, so that tasks are queued again within a minute."""

# Debian's Prometheus takes no pushed metrics.
_HERE = {
    "COMPOSE_PROFILES": "",
    "AIRFLOW_METRICS": "False",
    "TASK_QUEUED_TIMEOUT": str(QUEUED_AGAIN_S),
}


def write_env(path: Path, own: Mapping[str, str]) -> dict[str, str]:
    """An `.env` as `make secrets` writes it, with values of `own`; every variable of it."""
    subprocess.run(
        [sys.executable, "-m", "deploy.secrets", path],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    lines = [line for line in path.read_text().splitlines() if "=" in line and line[0] != "#"]
    generated = {name: value for name, _, value in (line.partition("=") for line in lines)}
    found = {**generated, **_HERE, **own}
    path.write_text("".join(f"{name}={value}\n" for name, value in found.items()))
    return found


def reaching(secrets: dict[str, str], cache: Path) -> dict[str, str]:
    """The environment of a worker, for this process."""
    return {
        "PLIMSOLL_STORAGE": "s3://lake",
        "PLIMSOLL_DATA": "s3://lake/sources",
        "PLIMSOLL_DETECTORS": secrets["DETECTORS"],
        "PLIMSOLL_CACHE": str(cache),
        "PLIMSOLL_DATABASE": (
            f"postgresql://plimsoll:{secrets['PLIMSOLL_DB_PASSWORD']}@127.0.0.1:5432/plimsoll"
        ),
        "PLIMSOLL_LEDGER_PUBLIC_KEYS": secrets["PLIMSOLL_LEDGER_PUBLIC_KEYS"],
        "PLIMSOLL_ANSWERS_PUBLIC_KEYS": secrets["PLIMSOLL_ANSWERS_PUBLIC_KEYS"],
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
        "MLFLOW_TRACKING_TOKEN": secrets["MLFLOW_TOKEN"],
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8333",
        "AWS_ACCESS_KEY_ID": secrets["LAKE_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": secrets["LAKE_SECRET_KEY"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
