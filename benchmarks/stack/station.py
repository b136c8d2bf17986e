"""The composed stack, started for a benchmark, and this process inside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.scale.made import NAME, factory
from deploy.airflow_api import AirflowApi, RunResult
from tests.integration.plant import write_detector
from tests.stack.composed import render, services_of
from tests.stack.deployment import reaching, write_env
from tests.stack.running import Stack, make_stack
from tests.stack.station import CloudStation

_UP_S = 300.0


@dataclass(frozen=True)
class Started:
    """A stack that is up, and two detectors on it."""

    running: Stack
    airflow: AirflowApi
    station: CloudStation
    factory: CloudStation


@contextlib.contextmanager
def started(home: Path) -> Iterator[Started]:
    """The stack with its state in `home`; this process reaches its stores."""
    detectors = home / "detectors"
    detectors.mkdir()
    write_detector(detectors, "station", schedule={"start": "2024-01-01", "end": "2024-06-30"})
    content = factory().model_dump(mode="json", by_alias=True)
    (detectors / f"{NAME}.yaml").write_text(yaml.safe_dump(content))
    secrets = write_env(
        home / ".env", {"DETECTORS": str(detectors), "WORKER_CONCURRENCY": str(_tasks_at_once())}
    )
    services = services_of(render(home / ".env"))
    running = make_stack(services, home / "stack", tools=set())
    (home / "stack").mkdir(exist_ok=True)
    try:
        with running.inside():
            os.environ.update(reaching(secrets, home / "cache"))  # noqa: TID251 - we join it
            running.bring_up(limit_s=_UP_S)
            login = ("admin", secrets["AIRFLOW_ADMIN_PASSWORD"])
            with AirflowApi("http://127.0.0.1:8080", *login) as airflow:
                detector = {
                    name: CloudStation(name, running, airflow) for name in ("station", NAME)
                }
                yield Started(running, airflow, detector["station"], detector[NAME])
    finally:
        running.take_down()


def _tasks_at_once() -> int:
    """Tasks at once in each of the two workers, as in docs/deploy.md: one for each processor."""
    return max(1, (os.cpu_count() or 1) // 2)


def succeeded(run: RunResult) -> None:
    """Go on only with a run that succeeded."""
    if not run.succeeded:
        msg = f"{run.dag_id} {run.run_id} ended as {run.state}: {run.tasks}"
        raise RuntimeError(msg)
