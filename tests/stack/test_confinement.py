"""The permissions of each service's processes, read from the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stack.running import Stack

pytestmark = pytest.mark.stack


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def root_options(pid: int) -> list[str]:
    """The mount options of the root of the process."""
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    [options] = [mount[5] for mount in mounts if mount[4] == "/"]
    return options.split(",")


def test_no_service_is_root_has_a_right_or_may_get_one(stack: Stack):
    found = {
        name: status_of(container.first_process())
        for name, container in stack.containers.items()
        if container.status is None
    }

    assert {"postgres", "seaweedfs", "valkey", "prometheus", "mlflow"} <= set(found)
    assert [name for name, status in found.items() if "0" in status["Uid"].split()] == []
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert {int(status[field], 16) for status in found.values()} == {0}, field
    assert {status["NoNewPrivs"] for status in found.values()} == {"1"}


def test_no_service_writes_its_root(stack: Stack):
    for name, container in stack.containers.items():
        if container.status is None:
            assert "ro" in root_options(container.first_process()), name
            done = container.run(("/bin/sh", "-c", "echo evil > /usr/bin/evil"), 10)
            assert done.returncode != 0, name
            assert b"Read-only file system" in done.stderr, name


def test_every_service_stays_far_below_its_limit_of_processes(stack: Stack):
    running = [each for each in stack.containers.values() if each.status is None]
    threads = {each.name: (each.threads(), each.service.processes) for each in running}

    print(threads)  # noqa: T201 - a measurement, seen with -s
    assert [name for name, (now, limit) in threads.items() if now > limit / 3] == []
