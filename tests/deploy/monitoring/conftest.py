"""Prometheus and promtool, as `make` puts them beside the interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def program(name: str) -> Path:
    found = Path(sys.executable).parent / name
    if not found.exists():
        pytest.fail(
            f"{found} is missing, and no package index has it. `make .venv/prometheus` unpacks "
            "Debian's package there; `make test` and `make test-fast` do it by themselves."
        )
    return found


@pytest.fixture(scope="session")
def promtool() -> Path:
    return program("promtool")


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    return program("prometheus")
