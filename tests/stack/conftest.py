"""The full stack, up for the whole session, and the pumping station that it watches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.airflow_api import AirflowApi
from tests.integration.plant import write_detector
from tests.stack.composed import render, services_of
from tests.stack.deployment import reaching, write_env
from tests.stack.running import Stack, make_stack
from tests.stack.station import CloudStation

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTHY_S = 240.0


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a deployment, with detectors of our own."""
    if reason := refused():
        pytest.skip(f"the stack runs in namespaces of its own, as root: {reason}")
    folder = tmp_path_factory.mktemp("deployment")
    for name in ("detectors", "backups"):
        (folder / name).mkdir()
    os.chown(folder / "backups", 50000, 50000)
    for name in ("station", "wide"):
        write_detector(
            folder / "detectors", name, recalibration={"window_days": 30, "minimum_days": 10}
        )
    write_detector(folder / "detectors", "asking", promotion={"approval": "human"})
    return folder


@pytest.fixture(scope="session")
def secrets(deployment: Path) -> dict[str, str]:
    """The values of the deployment's `.env`, by variable."""
    own = {name: str(deployment / name.lower()) for name in ("DETECTORS", "BACKUPS")}
    return write_env(deployment / ".env", own)


@pytest.fixture(scope="session")
def stack(deployment: Path, secrets: dict[str, str], tmp_path_factory) -> Iterator[Stack]:
    """Every service of the file but Grafana, for which there is no program here, healthy.

    This process is in the stack's network, and its environment reaches the stack's stores.
    """
    services = services_of(render(deployment / ".env", profiles=("monitoring", "tools")))
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
    """Why namespaces and overlays cannot be created on this machine; empty if they can."""
    layers = "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work"
    steps = "mount -t tmpfs t /mnt && mkdir /mnt/upper /mnt/work /mnt/root && "
    steps += f"mount -t overlay o -o {layers} /mnt/root"
    probe = ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", steps]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "util-linux's `unshare` is missing"
    return done.stderr.strip() if done.returncode else ""
