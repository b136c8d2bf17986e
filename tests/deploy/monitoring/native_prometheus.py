"""A native Prometheus with the deployment's own configuration, only addresses and pace changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.monitoring.expressions import PROMETHEUS
from tests.ending import end

_PACE = {
    "scrape_interval: 30s": "scrape_interval: 1s",
    "scrape_timeout: 10s": "scrape_timeout: 1s",
    "evaluation_interval: 30s": "evaluation_interval: 1s",
}
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Prometheus:
    address: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The answer of `/api/v1/query`.

        Raises:
            urllib.error.HTTPError: the expression is none.
        """
        form = urllib.parse.urlencode({"query": expression})
        with _LOCAL.open(f"http://{self.address}/api/v1/query?{form}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def await_series(self, expression: str, *, patience_s: float = 60) -> None:
        """Return once `expression` has a series."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self._ready() and self.ask(expression):
                return
            time.sleep(0.2)
        pytest.fail(f"after {patience_s} s Prometheus has nothing for {expression}")

    def _ready(self) -> bool:
        try:
            with _LOCAL.open(f"http://{self.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False


@contextmanager
def running(
    program: Path, folder: Path, address: str, targets: dict[str, str]
) -> Iterator[Prometheus]:
    """Serve at `address` until the end; `targets` replaces host names of the configuration."""
    shutil.copytree(PROMETHEUS, folder / "etc")
    configuration = folder / "etc" / "prometheus.yml"
    text = configuration.read_text()
    for old, new in {**_PACE, **targets, "localhost:9090": address}.items():
        assert text.count(old) == 1, f"{old} is in prometheus.yml {text.count(old)} times"
        text = text.replace(old, new)
    configuration.write_text(text)
    command = [
        program, f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield Prometheus(address)
    finally:
        end(server)
