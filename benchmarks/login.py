"""The cost of the login before MLflow for each call: the same server with and without it, in turn.

`make bench-login`. Two real servers hold the same registry; each round asks both, in changing
order, so that other load of the machine affects both alike. The processor's time is that of the
server alone, which a busy machine stretches less than the clock. Required: a tenth more at most.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import psutil

from deploy.mlflow_login import session
from deploy.mlflow_login.credentials import PASSWORD, USER, read_credentials
from tests.mlflow_server import LOGIN, Server, running_mlflow, server_command
from tests.s3_server import free_ports

ROUNDS = 300
OUT = Path(".plimsoll/benchmarks/login.json")
OPEN = "import deploy.mlflow_server as served; served.behind_login = list; served.main()"
ALIAS = "/api/2.0/mlflow/registered-models/alias?name=pumps&alias=champion"
ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/1/model.onnx"
MEGABYTE = b"x" * 1_000_000


@dataclass(frozen=True)
class Side:
    """One of the two servers, with its headers."""

    pid: int
    ask: Callable[[], httpx.Response]


def main() -> int:
    """Measure, print, write; the exit status."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as started:
        without, behind = (
            started.enter_context(_serve(Path(scratch) / name, plain=name == "without"))
            for name in ("without", "behind")
        )
        for server in (without, behind):
            _fill(server)
        found = _measure(started, without, behind)
    for call, figures in found.items():
        print(
            f"{call:<36} {figures['without_ms']:6.2f} ms, behind {figures['behind_ms']:6.2f}: "
            f"x {figures['ratio']:.2f}; processor {figures['without_cpu_ms']:5.2f} ms, "
            f"{figures['behind_cpu_ms']:5.2f}: x {figures['cpu_ratio']:.2f}"
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _serve(folder: Path, *, plain: bool) -> AbstractContextManager[Server]:
    folder.mkdir()
    (port,) = free_ports(1)
    command = server_command(folder, port)
    if plain:
        command = [sys.executable, "-c", OPEN, *command[3:]]
    return running_mlflow(folder, port, command=command)


def _fill(server: Server) -> None:
    api = "/api/2.0/mlflow"
    with httpx.Client(base_url=server.url, headers=server.bearer, timeout=60) as client:
        client.post(f"{api}/registered-models/create", json={"name": "pumps"}).raise_for_status()
        experiment = client.post(f"{api}/experiments/create", json={"name": "pumps"}).json()
        run = client.post(f"{api}/runs/create", json=experiment).json()["run"]["info"]
        version = {"name": "pumps", "source": run["artifact_uri"], "run_id": run["run_id"]}
        client.post(f"{api}/model-versions/create", json=version).raise_for_status()
        live = {"name": "pumps", "alias": "champion", "version": "1"}
        client.post(f"{api}/registered-models/alias", json=live).raise_for_status()
        client.put(ARTIFACT, content=MEGABYTE).raise_for_status()


def _measure(started: ExitStack, without: Server, behind: Server) -> dict[str, dict[str, float]]:
    credentials = read_credentials(LOGIN)
    basic = base64.b64encode(f"{LOGIN[USER]}:{LOGIN[PASSWORD]}".encode()).decode()
    value = session.new_session(credentials.key, time.time())
    shown = {
        "by token": behind.bearer,
        "by user and password": {"Authorization": f"Basic {basic}"},
        "by session": {"Cookie": f"{session.cookie_name(credentials.key)}={value}"},
    }
    plain = started.enter_context(httpx.Client(base_url=without.url, timeout=60))
    found = {}
    for way, headers in shown.items():
        checked = started.enter_context(
            httpx.Client(base_url=behind.url, headers=headers, timeout=60)
        )
        for what, path in (("alias", ALIAS), ("1 MB artifact", ARTIFACT)):
            sides = (
                Side(without.pid, partial(plain.get, path)),
                Side(behind.pid, partial(checked.get, path)),
            )
            found[f"{what} {way}"] = _compared(*sides)
    return found


def _compared(without: Side, behind: Side) -> dict[str, float]:
    sides = (without, behind)
    took: dict[int, list[float]] = {side.pid: [] for side in sides}
    before = [_processor_s(side.pid) for side in sides]
    for n in range(ROUNDS):
        for side in sides if n % 2 else reversed(sides):
            began = time.perf_counter()
            side.ask().raise_for_status()
            took[side.pid].append(time.perf_counter() - began)
    after = [_processor_s(side.pid) for side in sides]
    wall = [1000 * median(took[side.pid]) for side in sides]
    cpu = [1000 * (b - a) / ROUNDS for a, b in zip(before, after, strict=True)]
    return {
        "without_ms": wall[0],
        "behind_ms": wall[1],
        "ratio": wall[1] / wall[0],
        "without_cpu_ms": cpu[0],
        "behind_cpu_ms": cpu[1],
        "cpu_ratio": cpu[1] / cpu[0],
    }


def _processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    sys.exit(main())
