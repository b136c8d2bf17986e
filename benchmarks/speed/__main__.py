"""Fit at 10,000 x 50, score 10,000 and 200,000 x 50, one row: one and two threads, in one run.

    python -m benchmarks.speed
    python -m benchmarks.speed --only linear "PyOD KNN" --threads 2

Every round times each contender once, and the machine's matrix-multiply rate beside them, so that
ratios compare the same minutes. Shown are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import structlog

from benchmarks.speed.contenders import FEATURES, SpeedContender, made_rows, ours, theirs
from benchmarks.speed.limit import flop_a_row, own_rate, products, square_rate
from benchmarks.speed.one_row import one_row_ms
from pipeline import settings
from pipeline.detector.models.fitted import FittedNetwork

FEW, MANY = 10_000, 200_000
OUT = settings.HOME / "benchmarks" / "speed.json"


@dataclass(frozen=True)
class Timed:
    """One contender with some threads.

    Attributes:
        name: which.
        threads: it was given.
        fit_s: seconds to fit on 10,000 rows, each round.
        fit_cpu_s: processor seconds of it, over all threads: hardly moved by what else runs.
        few_s: seconds to score 10,000 rows, each round.
        many_s: seconds to score 200,000 rows, each round.
        of_machine: share of the machine's fastest matrix product, each round; ours only.
        of_own: share of the rate that matrix products of its own shapes reach; ours only.
        flop_a_row: of its matrix products; None for PyOD.
        one_row_ms: median and 99th percentile; None for PyOD.
    """

    name: str
    threads: int
    fit_s: list[float]
    fit_cpu_s: list[float]
    few_s: list[float]
    many_s: list[float]
    of_machine: list[float]
    of_own: list[float]
    flop_a_row: float | None
    one_row_ms: tuple[float, float] | None


def measure(contenders: list[SpeedContender], threads: int, fits: int, rounds: int) -> list[Timed]:
    """Time every contender, round by round."""
    train, few, many = (made_rows(n, seed=s) for s, n in enumerate((FEW, FEW, MANY)))
    trained: dict[str, Any] = {}
    found: list[Timed] = []
    fit_s: dict[str, list[tuple[float, float]]] = {c.name: [] for c in contenders}
    for _ in range(fits):
        for contender in contenders:
            began = time.process_time()
            seconds, trained[contender.name] = _timed(partial(contender.fit, train, threads))
            fit_s[contender.name].append((seconds, time.process_time() - began))
    for contender in contenders:
        wall, processor = zip(*fit_s[contender.name], strict=True)
        fitted = _fitted(contender.name, trained[contender.name], threads)
        found.append(replace(fitted, fit_s=list(wall), fit_cpu_s=list(processor)))
    shapes = {n: products(v.graph) for n, v in trained.items() if isinstance(v, FittedNetwork)}
    scorers = [c.scorer(trained[c.name], threads) for c in contenders]
    for _ in range(rounds):
        square = square_rate(threads)
        for row, score in zip(found, scorers, strict=True):
            row.few_s.append(_timed(partial(score, few))[0])
            row.many_s.append(_timed(partial(score, many))[0])
            if row.flop_a_row:
                reached = row.flop_a_row * MANY / row.many_s[-1]
                row.of_machine.append(reached / square)
                row.of_own.append(reached / own_rate(shapes[row.name], threads))
    return found


def _fitted(name: str, trained: object, threads: int) -> Timed:
    flop = one = None
    if isinstance(trained, FittedNetwork):
        flop = flop_a_row(trained.graph)
        timed = trained.facts.schema.timestamp is not None
        one = one_row_ms(trained, timed=timed, threads=threads)
    return Timed(name, threads, [], [], [], [], [], [], flop, one)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def table(results: list[Timed]) -> Iterator[str]:
    """The results as aligned lines."""
    yield (
        f"{'detector':<28} {'thr.':>4} {'fit s':>7} {'CPU s':>6} {'10k: rows/s':>12} "
        f"{'200k: rows/s':>12} "
        f"{'kFLOP/row':>9} {'of machine':>10} {'of shapes':>9} {'1 row ms: p50':>13} {'p99':>6}"
    )
    for r in results:
        line = (
            f"{r.name:<28} {r.threads:>4} {median(r.fit_s):>7.2f} {median(r.fit_cpu_s):>6.2f} "
            f"{FEW / median(r.few_s):>12,.0f} {MANY / median(r.many_s):>12,.0f} "
        )
        if r.flop_a_row:
            line += (
                f"{r.flop_a_row / 1e3:>9.1f} {median(r.of_machine):>10.0%} "
                f"{median(r.of_own):>9.0%} "
            )
        else:
            line += " " * 31
        if r.one_row_ms:
            line += f"{r.one_row_ms[0]:>13.3f} {r.one_row_ms[1]:>6.3f}"
        yield line.rstrip()


def main(arguments: list[str]) -> None:
    """Measure, print one table, write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders; default: all")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--fits", type=int, default=3, help="rounds of fitting")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of scoring")
    parsed = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    contenders = [c for c in [*ours(), *theirs()] if not parsed.only or c.name in parsed.only]
    load = os.getloadavg()[0]
    print(f"{FEATURES} features; load of the machine before the run: {load:.1f}", flush=True)
    results: list[Timed] = []
    for threads in parsed.threads:
        results += measure(contenders, threads, parsed.fits, parsed.rounds)
    print("\n".join(table(results)))
    print(
        "of machine: share of the rate of the fastest matrix product in the same round; of shapes: "
        "of ONNX Runtime's rate with the network's own products and nothing else."
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    written = {"load": load, "results": [asdict(result) for result in results]}
    OUT.write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
