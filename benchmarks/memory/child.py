"""A command of the pipeline in a process of its own, and its cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryCost:
    """The cost of one command.

    Attributes:
        wall_s: from start to end, imports included.
        processor_s: over all its threads.
        peak_mib: the most memory that was resident at once.
    """

    wall_s: float
    processor_s: float
    peak_mib: float


def run(*arguments: str) -> MemoryCost:
    """Run `python -m pipeline ...`; raises if it fails."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "pipeline", *arguments]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    took = time.perf_counter() - began
    return MemoryCost(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
