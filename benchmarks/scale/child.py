"""One process of the benchmark: reads, runs the bare engine, or scores as a task does.

    python -m benchmarks.scale.child read|engine|score GROUPS.json CLAIMS

GROUPS.json is a list of lists of days. A process claims a group by making a folder in
CLAIMS, so that any number of these processes share the work. The last line on stdout is its cost.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import structlog

from benchmarks.scale.made import FEATURES, NAME
from pipeline import settings
from pipeline.steps import live, scoring
from pipeline.tables import Table
from pipeline.tables.scan import scan

Days = Sequence[str]


@dataclass(frozen=True)
class ProcessCost:
    """The cost of one process.

    Attributes:
        rows: that it read or scored.
        began: when it had imported everything, seconds since 1970.
        ended: when it was through.
        processor_s: of its threads, in between.
        libraries_mib: the most memory that was resident before it began.
        peak_mib: until the end.
    """

    rows: int
    began: float
    ended: float
    processor_s: float
    libraries_mib: float
    peak_mib: float

    @property
    def wall_s(self) -> float:
        """From begin to end."""
        return self.ended - self.began


def main(mode: str, groups: Path, claims: Path) -> None:
    """Work on groups until none is left."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    work = WORK[mode]
    work([])  # MLflow and the bundle, once a process
    began, libraries, processor_s = time.time(), _peak_mib(), time.process_time()
    rows = 0
    for number, days in enumerate(json.loads(groups.read_text())):
        try:
            (claims / str(number)).mkdir()
        except FileExistsError:
            continue
        rows += work(days)
    took = ProcessCost(
        rows, began, time.time(), time.process_time() - processor_s, libraries, _peak_mib()
    )
    print(json.dumps(asdict(took)))


def _read(days: Days) -> int:
    """Every column of the files, a day at a time."""
    return sum(_table(day).num_rows for day in days)


def _engine(days: Days) -> int:
    """The files through the graph, and nothing else: no look-back, no reasons, nothing written."""
    bundle = live.champion(settings.load(), NAME).bundle
    rows = 0
    for day in days:
        held = _table(day)
        values = np.column_stack([held[name].to_numpy() for name in FEATURES])
        rows += len(bundle.score(values).score)
    return rows


def _score(days: Days) -> int:
    """The task."""
    if not days:
        live.champion(settings.load(), NAME)
        return 0
    return int(scoring.score_days(settings.load(), NAME, days, run="benchmark")["rows"])


def _table(day: str) -> pa.Table:
    at = date.fromisoformat(day)
    return scan(Table(settings.load().storage, NAME, "telemetry"), at, at)[1]


def _peak_mib() -> float:
    """The peak of this program alone: `ru_maxrss` includes its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


WORK: dict[str, Callable[[Days], int]] = {"read": _read, "engine": _engine, "score": _score}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
