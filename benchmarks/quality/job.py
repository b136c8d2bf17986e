"""One fit of one contender on one data set, in a process of the pool."""

from __future__ import annotations

import logging
from pathlib import Path

from benchmarks.quality import adbench, servers
from benchmarks.quality.contenders import OURS, WINDOWED, Contender, ours, theirs
from benchmarks.quality.results import Result

Job = tuple[str, Path, str, int]
"""Kind of data, file, contender, seed."""


def measure(job: Job) -> Result:
    """One fit; runs in a process of its own pool, so that two cores have work."""
    import structlog
    import torch

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    torch.set_num_threads(1)
    kind, path, name, seed = job
    contender = _contenders()[name]
    if kind == "servers":
        return servers.measure(path, contender, seed)
    return adbench.measure(path, contender, seed, withheld=name in OURS)


def _contenders() -> dict[str, Contender]:
    return {c.name: c for c in [*ours({**OURS, **WINDOWED}), *theirs()]}
