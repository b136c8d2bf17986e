"""`make bench-lasting`: whether what stays is told, and never becomes normal unasked.

    python -m benchmarks.lasting                    everything, on two cores
    python -m benchmarks.lasting --quick intervals  few trials of one part

Rules were chosen on other seeds than those reported (see each part).
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import structlog

from benchmarks.lasting import intervals, recalibration, slow_channel, slow_fault, typed_verdicts
from benchmarks.lasting.months import Course
from benchmarks.lasting.slow_fault import Found
from benchmarks.operation.rows import Row, table

RESULTS = Path(".plimsoll/benchmarks/lasting.json")
_WORKERS = 2


def rate_intervals(pool: ProcessPoolExecutor, *, quick: bool) -> list[Row]:
    """Do 95 % intervals of a rate hold?"""
    trials = 40 if quick else 400
    return list(pool.map(partial(_row, trials), intervals.cells_by_name()))


def thresholds(pool: ProcessPoolExecutor, *, quick: bool) -> list[Row]:
    """Which rate do recalibrated thresholds serve?"""
    seeds = recalibration.SEEDS[: 2 if quick else None]
    rows = []
    for asked in recalibration.settings():
        served = list(pool.map(partial(recalibration.lived, asked.setting), seeds))
        rows.append(recalibration.row(asked, served))
    return rows


def slow_faults(pool: ProcessPoolExecutor, *, quick: bool) -> list[Row]:
    """Are slow faults told before the threshold has followed them?"""
    seeds = slow_fault.SEEDS[: 2 if quick else None]
    rows = [
        slow_fault.quiet_row(course, list(pool.map(partial(recalibration.lived, course), seeds)))
        for course in slow_fault.quiet()
    ]
    without = list(pool.map(partial(recalibration.lived, Course("without")), seeds))
    for course in slow_fault.faults():
        trials: list[Found] = list(pool.map(partial(slow_fault.found, course), seeds, without))
        rows.append(slow_fault.fault_row(course, trials))
    return rows


def verdicts(pool: ProcessPoolExecutor, *, quick: bool) -> list[Row]:
    """Does a week in which one channel wears out ask a person, and a quiet one nobody?"""
    seeds = slow_channel.SEEDS[: 2 if quick else None]
    rows = list(
        slow_channel.rows_of_quiet(list(pool.map(partial(slow_channel.lived, None), seeds)))
    )
    for wear in slow_channel.wears():
        years = list(pool.map(partial(slow_channel.lived, wear), seeds))
        rows.append(slow_channel.row_of(wear, years))
    return rows


def faults_of_a_week(pool: ProcessPoolExecutor, *, quick: bool) -> list[Row]:
    """Does a planted fault get the verdict that names it, and never one that teaches it?"""
    seeds = typed_verdicts.SEEDS[: 2 if quick else None]
    return list(typed_verdicts.rows_of(list(pool.map(typed_verdicts.kinds_of, seeds))))


PARTS: dict[str, Callable[..., list[Row]]] = {
    "intervals": rate_intervals,
    "recalibration": thresholds,
    "slow_faults": slow_faults,
    "verdicts": verdicts,
    "faults_of_a_week": faults_of_a_week,
}


def main() -> None:
    """Measure the parts that are asked for, print one table, write it as JSON."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.lasting")
    asked.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all of them")
    asked.add_argument("--quick", action="store_true", help="few trials")
    given = asked.parse_args()
    rows: list[Row] = []
    with ProcessPoolExecutor(_WORKERS, initializer=_quiet) as pool:
        for part in given.parts or PARTS:
            began = time.perf_counter()
            rows += PARTS[part](pool, quick=given.quick)
            print(f"{part}: {time.perf_counter() - began:.0f} s", flush=True)
    print(table(rows))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


def _row(trials: int, name: str) -> Row:
    return intervals.row(intervals.coverage(intervals.cell_named(name), trials))


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


if __name__ == "__main__":
    main()
