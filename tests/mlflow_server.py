"""A real MLflow server for tests and benchmarks, started as both stacks start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.mlflow_login.credentials import PASSWORD, TOKEN, USER
from pipeline.settings import REPOSITORY
from tests.ending import end

LOGIN = {
    USER: "admin",
    PASSWORD: "pass:word-of-a-test",
    TOKEN: "token-of-a-test-0123456789",
}
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class Server:
    """A server that answers; `log` is what it has written."""

    port: int
    log: Path
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {LOGIN[TOKEN]}"}


def server_environment(folder: Path) -> dict[str, str]:
    """The environment of a server that keeps its runs in a file of `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return {
        **kept,
        **LOGIN,
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
    }


def server_command(folder: Path, port: int) -> list[str]:
    words = [sys.executable, "-m", "deploy.mlflow_server", "--host", "127.0.0.1"]
    words += ["--port", str(port), "--workers", "1"]
    return [*words, "--artifacts-destination", str(folder / "artifacts")]


@contextmanager
def running_mlflow(
    folder: Path, port: int, *, command: list[str] | None = None
) -> Iterator[Server]:
    """The server, once it is healthy; stopped at the end."""
    log = folder / f"mlflow-{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command or server_command(folder, port),
            env=server_environment(folder),
            cwd=folder,
            stdout=out,
            stderr=out,
        )
    server = Server(port, log, process.pid)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _is_healthy(server):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield server
    finally:
        end(process)


def _is_healthy(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/health", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
