"""The real stack for tests: PostgreSQL, MLflow and Airflow in a temporary folder."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from deploy.airflow_api import AirflowApi, connect
from deploy.embedded import lifecycle
from deploy.embedded.environment import build_environment
from deploy.embedded.layout import find_layout
from deploy.embedded.ports import DEFAULTS, HOST, variable_of
from deploy.embedded.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path


@dataclass(frozen=True)
class RunningStack:
    """A stack that is up.

    Attributes:
        stack: its folders, ports and secrets; `stack.layout.lake` is the storage root.
        airflow: a signed-in client of its REST API.
        environment: what its tasks run in; hand it to a subprocess, or to `monkeypatch.setenv`.
    """

    stack: Stack
    airflow: AirflowApi
    environment: Mapping[str, str]
    asked: Mapping[str, str]

    @property
    def airflow_url(self) -> str:
        return self.stack.airflow_url

    @property
    def mlflow_url(self) -> str:
        return self.stack.mlflow_url

    @property
    def storage(self) -> Path:
        return self.stack.layout.lake

    def restart(self) -> None:
        """Stop everything and start it again on the same state and ports."""
        lifecycle.down(self.stack.layout, print)
        lifecycle.up(self.stack.layout, self.asked, print)


class StartStack(Protocol):
    def __call__(
        self, *, dags: Path | None = None, detectors: Path | None = None
    ) -> AbstractContextManager[RunningStack]: ...


@pytest.fixture(scope="session")
def start_stack(tmp_path_factory: pytest.TempPathFactory) -> StartStack:
    """Starts a stack of its own and stops it: `with start_stack(dags=folder) as running:`.

    Without `detectors` it runs those that `PLIMSOLL_DETECTORS` names, else those of the repository;
    `dags` are DAG files beside theirs.
    """

    @contextmanager
    def start(*, dags: Path | None = None, detectors: Path | None = None) -> Iterator[RunningStack]:
        asked = {**os.environ, "PLIMSOLL_HOME": str(tmp_path_factory.mktemp("stack"))}
        asked |= {
            variable_of(name): str(port) for name, port in zip(DEFAULTS, _free_ports(), strict=True)
        }
        if dags:
            asked["PLIMSOLL_DAGS"] = str(dags)
        if detectors:
            asked["PLIMSOLL_DETECTORS"] = str(detectors)
        layout = find_layout(asked)
        stack = lifecycle.up(layout, asked, print)
        try:
            with connect(stack) as airflow:
                yield RunningStack(stack, airflow, build_environment(stack, asked), asked)
        finally:
            lifecycle.down(layout, print)

    return start


@pytest.fixture(scope="session")
def stack(start_stack: StartStack) -> Iterator[RunningStack]:
    """One stack for all tests that do not need DAGs or detectors of their own."""
    with start_stack() as running:
        yield running


def _free_ports() -> list[int]:
    """A free port for each service, all different."""
    sockets = [socket.socket() for _ in DEFAULTS]
    try:
        for listener in sockets:
            listener.bind((HOST, 0))
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()
