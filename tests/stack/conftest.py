"""The full stack, up for the whole session, and the pumping station that it watches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.embedded.airflow_api import AirflowApi
from pipeline.settings import REPOSITORY
from tests.integration.plant import write_detector
from tests.stack.composed import render, services_of
from tests.stack.running import Stack, make_stack
from tests.stack.station import CloudStation

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTHY_S = 240.0


@pytest.fixture(scope="session")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An `.env` as `make secrets` writes it, for detectors of our own."""
    folder = tmp_path_factory.mktemp("deployment")
    detectors = folder / "detectors"
    detectors.mkdir()
    for name in ("station", "wide"):
        write_detector(detectors, name, recalibration={"window_days": 30, "minimum_days": 10})
    write_detector(detectors, "asking", promotion={"approval": "human"})
    path = folder / ".env"
    subprocess.run([sys.executable, "-m", "deploy.secrets", path], cwd=REPOSITORY, check=True)
    backups = folder / "backups"
    backups.mkdir()
    os.chown(backups, 50000, 50000)
    own = {
        "DETECTORS": str(detectors),
        "BACKUPS": str(backups),
        "COMPOSE_PROFILES": "",
        "AIRFLOW_METRICS": "False",  # Debian's Prometheus takes no pushed metrics
    }
    kept = [x for x in path.read_text().splitlines() if x.partition("=")[0] not in own]
    path.write_text("\n".join([*kept, *(f"{k}={v}" for k, v in own.items())]) + "\n")
    return path


@pytest.fixture(scope="session")
def secrets(env_file: Path) -> dict[str, str]:
    """What the `.env` says, by variable."""
    lines = [line for line in env_file.read_text().splitlines() if "=" in line and line[0] != "#"]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.fixture(scope="session")
def stack(env_file: Path, secrets: dict[str, str], tmp_path_factory) -> Iterator[Stack]:
    """Every service of the file but Grafana, for which there is no program here, healthy.

    This process is in the stack's network, and its environment reaches the stack's stores.
    """
    if reason := refused():
        pytest.skip(f"the stack runs in namespaces of its own, as root: {reason}")
    services = services_of(render(env_file, profiles=("monitoring", "tools")))
    services.pop("grafana")
    running = make_stack(services, tmp_path_factory.mktemp("stack"), tools={"cli", "backup"})
    with pytest.MonkeyPatch.context() as patch, running.inside():
        for name, value in reaching(secrets, tmp_path_factory.mktemp("cache")).items():
            patch.setenv(name, value)
        try:
            running.bring_up(limit_s=HEALTHY_S)
            yield running
        finally:
            running.take_down()


@pytest.fixture(scope="session")
def airflow(stack: Stack, secrets: dict[str, str]) -> Iterator[AirflowApi]:  # noqa: ARG001 - must be up
    """The REST API, signed in as the administrator that `airflow-init` made."""
    with AirflowApi("http://127.0.0.1:8080", "admin", secrets["AIRFLOW_ADMIN_PASSWORD"]) as api:
        yield api


@pytest.fixture(scope="session")
def station(stack: Stack, airflow: AirflowApi) -> CloudStation:
    """The pumping station, its history delivered to the lake's bucket, its DAGs awake."""
    found = CloudStation("station", stack, airflow)
    found.deliver(range(48))
    found.wake("ingest", "score", "load", "train", "recalibrate", "rollback")
    return found


def refused() -> str:
    """Why this machine does not let us make namespaces and overlays; empty if it does."""
    layers = "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work"
    steps = "mount -t tmpfs t /mnt && mkdir /mnt/upper /mnt/work /mnt/root && "
    steps += f"mount -t overlay o -o {layers} /mnt/root"
    probe = ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", steps]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "util-linux's `unshare` is missing"
    return done.stderr.strip() if done.returncode else ""


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
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8333",
        "AWS_ACCESS_KEY_ID": secrets["LAKE_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": secrets["LAKE_SECRET_KEY"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
