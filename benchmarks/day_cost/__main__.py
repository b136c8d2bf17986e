"""`make bench-day-cost`: the cost of a scored day after a short history and after a long one.

Required: at most 1.15 times as much at day 700 as at day 20. Each step is taken in a process
of its own that has imported its modules already, as Airflow's tasks are; the worlds take turns at
each step, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.day_cost import plant
from benchmarks.day_cost.counting import total
from benchmarks.day_cost.day import ASIDE, STEPS, Taken, take
from benchmarks.day_cost.plant import World
from benchmarks.day_cost.processes import in_a_process
from tests.postgres_server import fresh_database, running_postgres

LENGTHS, DAYS, LIMIT = (20, 100, 300, 700), 7, 1.15
OUT = Path(".plimsoll/benchmarks/day_cost.json")

Times = dict[int, dict[str, list[Taken]]]
"""What the steps took, by length of the history and by step."""


def main() -> None:
    """Lay the histories, live through days, print the table, write it as JSON."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.day_cost", description=__doc__)
    asked.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="days of history")
    asked.add_argument("--days", type=int, default=DAYS, help="days to live through after each")
    asked.add_argument("--keep", type=Path, help="an empty folder for the worlds, which stay there")
    given = asked.parse_args()
    out = OUT.resolve()
    with tempfile.TemporaryDirectory(prefix="plimsoll-days-") as scratch:
        root = given.keep.resolve() if given.keep else Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        with running_postgres(root) as server:
            worlds = [_world(root, server, length, given.days) for length in given.lengths]
            laid = {world.history: _lay(world) for world in worlds}
            times = _measured(worlds, given.days)
    figures = _figures(times, laid)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    _show(figures)


def _world(root: Path, server: str, length: int, days: int) -> World:
    # Yesterday is the last day, as messages are sent about recent days only.
    first = datetime.now(UTC).date() - timedelta(days=length + days + 1)
    return World(root / f"world-{length}", root / "data", fresh_database(server), first, length)


def _lay(world: World) -> float:
    """Seconds that the history took, the two trainings included."""
    began = time.perf_counter()
    for n in range(world.history):
        plant.deliver(world.data, world.day(n))
    in_a_process(plant.lay, world)
    took = time.perf_counter() - began
    print(f"history of {world.history} days laid in {took:.0f} s", flush=True)
    return took


def _measured(worlds: list[World], days: int) -> Times:
    """The first day warms the file cache up, and its reads are counted; the others are timed."""
    times: Times = {world.history: defaultdict(list) for world in worlds}
    for n in range(days + 1):
        handed: dict[int, Any] = {}
        for step, world in product((*STEPS, *ASIDE), worlds):
            call, before = partial(take, count=n == 0), handed.get(world.history)
            taken, handed[world.history] = in_a_process(
                call, world, world.history + n, step, before
            )
            times[world.history][step].append(taken)
    return times


def _figures(times: Times, laid: dict[int, float]) -> dict[str, Any]:
    lengths = sorted(times)
    found: dict[str, Any] = {
        "load_average": os.getloadavg()[0],
        "laid_s": laid,
        "seconds": {n: _medians(times[n], "seconds") for n in lengths},
        "cpu_seconds": {n: _medians(times[n], "cpu") for n in lengths},
        "read": {n: {step: times[n][step][0].read for step in (*STEPS, *ASIDE)} for n in lengths},
    }
    for kind in ("seconds", "cpu_seconds"):
        day = {n: found[kind][n]["day"] for n in lengths}
        found[f"ratio_{kind}"] = day[lengths[-1]] / day[lengths[0]]
    return found


def _medians(steps: dict[str, list[Taken]], what: str) -> dict[str, float]:
    timed = {step: [getattr(each, what) for each in steps[step][1:]] for step in steps}
    days = zip(*(timed[step] for step in STEPS), strict=True)
    return {step: median(values) for step, values in timed.items()} | {
        "day": median(map(sum, days))
    }


def _show(figures: dict[str, Any]) -> None:
    lengths = list(figures["seconds"])
    print("\nseconds (CPU) of a step, by days of history; then tables opened/files read/MB read")
    print(f"{'':10}" + "".join(f"{n:>14}" for n in lengths) + "".join(f"{n:>20}" for n in lengths))
    for step in (*STEPS, "day", *ASIDE):
        wall, cpu = (figures[kind] for kind in ("seconds", "cpu_seconds"))
        line = "".join(f"{wall[n][step]:7.2f} ({cpu[n][step]:.2f})" for n in lengths)
        print(f"{step:10}{line}" + "".join(_read(figures["read"][n], step) for n in lengths))
    reached = "reached" if figures["ratio_seconds"] <= LIMIT else "MISSED"
    print(
        f"\na day at {lengths[-1]} costs {figures['ratio_seconds']:.2f} x a day at {lengths[0]} "
        f"(CPU {figures['ratio_cpu_seconds']:.2f} x); asked: {LIMIT} x, {reached}; "
        f"load average {figures['load_average']:.1f}"
    )


def _read(found: dict[str, dict[str, int]], step: str) -> str:
    steps = STEPS if step == "day" else (step,)
    read = sum((Counter(found[each]) for each in steps), Counter[str]())
    counts = f"{total(read, 'opened')}/{total(read, 'files')}/{read['bytes'] / 1e6:.1f}"
    return f"{counts:>20}"


if __name__ == "__main__":
    main()
