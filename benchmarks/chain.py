"""The cost of Airflow: `train` against its own work, and 91 days by one backfill.

The backfill carries scoring with it, and is held against one of as many empty runs of two tasks.

    python -m benchmarks.chain [train | backfill] [--cache FOLDER]

Starts a stack of its own in a temporary folder and stops it. The La Haute Borne sample is fetched
as a task would fetch it, unless `--cache` names a folder that has it (`.plimsoll/cache`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from deploy.airflow_api import AirflowApi, RunResult, connect
from deploy.embedded import lifecycle
from deploy.embedded.backfill import create_backfill, wait_for_backfill, wait_for_partitions
from deploy.embedded.environment import build_environment
from deploy.embedded.layout import find_layout
from pipeline import settings, tables
from pipeline.settings import REPOSITORY
from pipeline.tables import Table

DETECTOR, TWIN = "la_haute_borne", "twin"
HISTORY = (date(2014, 1, 1), date(2014, 3, 31))
AS_OF = date(2014, 4, 1)
BACKFILLED = (date(2014, 4, 1), date(2014, 6, 30))
DAYS = (BACKFILLED[1] - BACKFILLED[0]).days + 1
STEPS = ("window", "train", "calibrate", "evaluate", "drift", "gate", "promote")
REPEATS = 3

EMPTY_CHAIN = f"""
from airflow.sdk import DAG, task

with DAG("empty", schedule=None):
    @task
    def step(before):
        return {{}}

    handed = None
    for name in {STEPS!r}:
        handed = step.override(task_id=name)(handed)
"""

EMPTY_DAYS = """
from datetime import UTC, datetime

from airflow.sdk import DAG, CronPartitionTimetable, task

with DAG(
    "empty_days",
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"
    ),
    start_date=datetime(2014, 1, 1, tzinfo=UTC),
    end_date=datetime(2016, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
):
    @task
    def step(before):
        return {}

    step.override(task_id="second")(step.override(task_id="first")(None))
"""


@dataclass(frozen=True)
class ChainBench:
    """The running stack.

    Attributes:
        airflow: its API.
        lake: storage root of its tables.
    """

    airflow: AirflowApi
    lake: Path


def main() -> int:
    """Run the chosen parts; print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chain", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["train", "backfill"], help="default: both")
    parser.add_argument("--cache", type=Path, help="a folder that has the sample already")
    asked = parser.parse_args()
    with _stack(asked.cache) as bench:
        _say(f"loading {HISTORY[0]} to {HISTORY[1]} by one run")
        span = {"from_day": HISTORY[0].isoformat(), "to_day": HISTORY[1].isoformat()}
        loaded = _run(bench, f"{DETECTOR}__load", conf=span)
        if asked.what == "backfill":
            _run(bench, f"{DETECTOR}__train", conf={"as_of": AS_OF.isoformat()})
        else:
            _report_train(bench)
        if asked.what != "train":
            _report_backfill(bench, loaded)
    return 0


def _report_train(bench: ChainBench) -> None:
    """Wall time of the train DAG, its tasks' own work, and the floor of an empty chain."""
    _say(f"an empty chain of {len(STEPS)} tasks, {REPEATS} times after a first one")
    empty = [_run(bench, "empty") for _ in range(1 + REPEATS)][1:]
    floor = statistics.median(wall for _, wall in empty)
    idle = {name: statistics.median(_duration(run, name) for run, _ in empty) for name in STEPS}
    _say(f"{DETECTOR}__train through the scheduler")
    trained, wall = _run(bench, f"{DETECTOR}__train", conf={"as_of": AS_OF.isoformat()})
    _say("the same steps in one process, without Airflow")
    alone = _in_one_process(bench)
    print(f"\n{'task':<12}{'in Airflow':>12}{'empty task':>12}{'own work':>12}   seconds")
    for name in STEPS:
        print(f"{name:<12}{_duration(trained, name):>12.2f}{idle[name]:>12.2f}{alone[name]:>12.2f}")
    work = sum(alone.values())
    in_airflow = sum(_duration(trained, name) for name in STEPS)
    print(f"{'sum':<12}{in_airflow:>12.2f}{sum(idle.values()):>12.2f}{work:>12.2f}")
    limit = 1.5 * work + floor
    print(f"\nwall time of the train DAG      {wall:7.1f} s")
    print(f"floor: empty chain, {len(STEPS)} tasks    {floor:7.1f} s")
    print(f"limit: 1.5 x own work + floor   {limit:7.1f} s")
    print(f"wall / limit                    {wall / limit:7.2f}   (at most 1)")
    print(f"load average                    {os.getloadavg()[0]:7.1f}\n")


def _report_backfill(bench: ChainBench, loaded: tuple[RunResult, float]) -> None:
    """Every day exactly once, and what a day costs."""
    _say(f"airflow backfill create --from-date {BACKFILLED[0]} --to-date {BACKFILLED[1]}")
    dag_id = f"{DETECTOR}__ingest"
    began = time.monotonic()
    backfill = create_backfill(bench.airflow, dag_id, *BACKFILLED)
    states = wait_for_backfill(
        bench.airflow, backfill, on_change=lambda now: _say(f"  {dict(now)}")
    )
    wall = time.monotonic() - began
    scored = wait_for_partitions(bench.airflow, f"{DETECTOR}__score", *BACKFILLED, limit_s=1800)
    until_scored = time.monotonic() - began
    floor = _empty_days(bench)
    runs = bench.airflow.runs(dag_id, run_type="backfill")
    keys = [run["partition_key"] for run in runs]
    table = Table(str(bench.lake), DETECTOR, "ingestions")
    attempts = tables.read(table, first_day=BACKFILLED[0], last_day=BACKFILLED[1], keep_date=True)
    once = len(keys) == len(set(keys)) == len(attempts) == attempts["date"].nunique() == DAYS
    sample = [bench.airflow.tasks(dag_id, run["dag_run_id"]) for run in runs[:: len(runs) // 12]]
    print(f"\nruns by state                   {dict(states)}")
    print(f"every day exactly once          {'yes' if once else 'NO'} ({len(attempts)} attempts)")
    print(f"verdicts                        {attempts['verdict'].value_counts().to_dict()}")
    print(f"days scored                     {Counter(scored.values())}")
    print(f"wall time to the last ingestion {wall:7.1f} s for {DAYS} days")
    print(f"wall time to the last score     {until_scored:7.1f} s")
    print(f"ingested and scored, per day    {until_scored / DAYS:7.2f} s")
    print(f"floor: empty run of two tasks   {floor / DAYS:7.2f} s per day")
    print(f"times the floor                 {until_scored / floor:7.2f}")
    for name in ("fetch", "validate", "write"):
        took = [t.duration_s or 0 for tasks in sample for t in tasks if t.task_id == name]
        print(f"  median of {name:<9}           {statistics.median(took):7.2f} s")
    days = (HISTORY[1] - HISTORY[0]).days + 1
    print(f"one run for {days} days instead     {loaded[1] / days:7.2f} s per day")
    print(f"load average                    {os.getloadavg()[0]:7.1f}\n")


def _empty_days(bench: ChainBench) -> float:
    """Wall time in seconds of a backfill of as many days whose runs do nothing, in two tasks."""
    _say(f"the floor: {DAYS} empty runs of two tasks by one backfill")
    began = time.monotonic()
    states = wait_for_backfill(
        bench.airflow, create_backfill(bench.airflow, "empty_days", *BACKFILLED)
    )
    if set(states) != {"success"}:
        sys.exit(f"the empty backfill ended {dict(states)}")
    return time.monotonic() - began


def _in_one_process(bench: ChainBench) -> dict[str, float]:
    """Seconds of each step on the same rows, for a detector that is the same but for its name."""
    # Before the clock starts: imports are no work of the tasks.
    import evidently  # noqa: F401 - imported for the time it takes

    import pipeline.detector.training.fit  # noqa: F401 - imported for the time it takes
    from pipeline.steps import evaluating, fitting, gating, promotion

    shutil.copytree(bench.lake / DETECTOR / "telemetry", bench.lake / TWIN / "telemetry")
    calls: dict[str, Any] = {
        "window": lambda _: fitting.window(settings.load(), TWIN, AS_OF.isoformat()),
        "train": lambda handed: fitting.train(settings.load(), handed, run="bench"),
        "calibrate": fitting.calibrate,
        "evaluate": evaluating.evaluate,
        "drift": evaluating.drift,
        "gate": lambda handed: gating.gate(settings.load(), handed, run="bench"),
        "promote": lambda handed: promotion.promote(
            settings.load(), handed, answer=None, run="bench"
        ),
    }
    took, handed = {}, None
    for name, call in calls.items():
        began = time.perf_counter()
        handed = call(handed)
        took[name] = time.perf_counter() - began
    return took


def _run(
    bench: ChainBench, dag_id: str, *, conf: dict[str, Any] | None = None
) -> tuple[RunResult, float]:
    """A finished run and its wall time in seconds, as Airflow clocked it."""
    run_id = bench.airflow.trigger(dag_id, conf=conf)
    result = bench.airflow.wait_for_run(dag_id, run_id)
    if not result.succeeded:
        sys.exit(f"{dag_id} {run_id} ended {result.state}: {result.tasks}")
    clocked = bench.airflow.run(dag_id, run_id)
    return result, float(clocked["duration"])


def _duration(run: RunResult, task_id: str) -> float:
    return next(task.duration_s or 0.0 for task in run.tasks if task.task_id == task_id)


@contextmanager
def _stack(cache: Path | None) -> Iterator[ChainBench]:
    """A stack of its own on free ports, with an empty chain beside the real DAGs."""
    home = Path(tempfile.mkdtemp(prefix="plimsoll-bench-"))
    dags, detectors = home / "dags", home / "detectors"
    dags.mkdir()
    shutil.copytree(REPOSITORY / "detectors", detectors)
    (dags / "empty_chain.py").write_text(EMPTY_CHAIN)
    (dags / "empty_days.py").write_text(EMPTY_DAYS)
    text = (detectors / f"{DETECTOR}.yaml").read_text()
    (detectors / f"{TWIN}.yaml").write_text(text.replace(f"name: {DETECTOR}", f"name: {TWIN}"))
    if cache:
        shutil.copytree(cache, home / "cache")
    asked = {
        **os.environ,  # noqa: TID251 - handed to the stack that is started here
        "PLIMSOLL_HOME": str(home),
        "PLIMSOLL_DAGS": str(dags),
        "PLIMSOLL_DETECTORS": str(detectors),
    }
    layout = find_layout(asked)
    try:
        stack = lifecycle.up(layout, asked, _say)
        # The steps in this process work on the stack's tables and registry.
        os.environ.update(build_environment(stack, asked))  # noqa: TID251 - as `make demo` does
        with connect(stack) as airflow:
            verbs = ("ingest", "load", "train", "score")
            for dag_id in (*(f"{DETECTOR}__{verb}" for verb in verbs), "empty", "empty_days"):
                airflow.wait_for_dag(dag_id)
                airflow.unpause(dag_id)
            yield ChainBench(airflow, layout.lake)
    finally:
        lifecycle.down(layout, _say)
        shutil.rmtree(home, ignore_errors=True)


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
