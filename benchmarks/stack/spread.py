"""Twenty million rows: one plain process on local files, then two Celery workers on S3."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

from benchmarks.scale import made
from benchmarks.scale.__main__ import Measured, groups_for, run_processes
from benchmarks.scale.made import NAME, ScalePlace
from benchmarks.scale.store import copy_table
from benchmarks.stack.station import Started, succeeded
from pipeline.steps.score_tables import content_hashes
from pipeline.tables import Table, read

_WORKERS = 2
WANTED_RATIO = 1.5


def score_here(home: Path, rows: int, repository: Path) -> Measured:
    """The tables made in `home`, and scored by one process."""
    place, days = ScalePlace(str(home / "lake"), home), made.days_of(rows)
    # In a process of its own: threads that Delta starts here would stay outside the stack.
    command = [sys.executable, "-m", "benchmarks.scale", "--rows", str(rows), "--make", str(home)]
    subprocess.run(command, check=True, cwd=repository)  # noqa: S603 - our own command
    place.enter()
    found = run_processes(
        "one process, local files", "score", place, groups_for(days, _WORKERS), 1, repository
    )
    _say(found.what, found.rows_a_second, found.wall_s)
    return found


def measure(stack: Started, plain: Measured, home: Path) -> dict[str, float]:
    """The same rows on S3, scored by the tasks of `factory__load` on two workers."""
    days = made.days_of(plain.rows)
    copy_table(
        Path(Table(str(home / "lake"), NAME, "telemetry").uri), f"s3://lake/{NAME}/telemetry"
    )
    made.register(home / "bundle")
    stack.factory.wake("load")
    span = {"from_day": days[0].isoformat(), "to_day": days[-1].isoformat()}
    size = max(map(len, groups_for(days, _WORKERS)))
    run = stack.factory.run(
        "load", conf={**span, "work": "score again", "days_a_group": size}, limit_s=3600
    )
    succeeded(run)
    path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
    tasks = stack.airflow.request("GET", path, limit=100)["task_instances"]
    spans = [
        (datetime.fromisoformat(t["start_date"]), datetime.fromisoformat(t["end_date"]))
        for t in tasks
        if t["task_id"] == "group.score"
    ]
    wall_s = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
    rate = plain.rows / wall_s
    _say("two Celery workers, S3", rate, wall_s)
    ratio = rate / plain.rows_a_second
    verdict = "" if ratio >= WANTED_RATIO else f", below {WANTED_RATIO}"
    peaks = [peak >> 20 for name, peak in stack.running.peak.items() if "worker" in name]
    print(f"{ratio:.2f} times one process{verdict}; workers held at most {peaks} MiB", flush=True)
    _refuse_different(home, days)
    return {"rows": plain.rows, "plain_s": plain.wall_s, "celery_s": wall_s, "ratio": ratio}


def _refuse_different(home: Path, days: list[date]) -> None:
    for day in days:
        one, other = (
            content_hashes(
                read(Table(root, NAME, "scores"), first_day=day, last_day=day, keep_date=True)
            )
            for root in (str(home / "lake"), "s3://lake")
        )
        if one != other:
            msg = f"the scores of {day} differ"
            raise RuntimeError(msg)
    print(f"scores of all {len(days)} days: equal by content hash", flush=True)


def _say(what: str, rate: float, wall_s: float) -> None:
    print(f"{what:<28} {rate:>10,.0f} rows/s {wall_s:>8.0f} s", flush=True)
