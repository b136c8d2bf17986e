"""`make bench-quality`: every family, memory and PyOD on the same rows in the same run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from benchmarks.quality import adbench, servers
from benchmarks.quality.contenders import OURS, WINDOWED, ours, theirs
from benchmarks.quality.job import Job, measure
from benchmarks.quality.results import Result
from pipeline import settings

SHARED = settings.REPOSITORY.parent / "shared" / "bench"
OUT = settings.HOME / "benchmarks" / "quality.json"


def jobs(parsed: argparse.Namespace) -> list[Job]:
    """Everything to be measured, tabular sets first."""
    rows = [c.name for c in [*ours(OURS), *theirs()]]
    found: list[Job] = []
    for kind, files, names, seeds in (
        ("adbench", adbench.paths(parsed.bench / "adbench"), rows, parsed.seeds),
        ("servers", servers.paths(parsed.bench / "smd"), [*rows, *WINDOWED], 1),
    ):
        if kind in parsed.data:
            chosen = [name for name in names if not parsed.only or name in parsed.only]
            found += [(kind, f, n, s) for n in chosen for s in range(seeds) for f in files]
    return found


def main(arguments: list[str]) -> None:
    """Measure, print a table of each kind of data, write all results as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--bench", type=Path, default=SHARED, help="folder of the data sets")
    parser.add_argument("--data", nargs="+", default=["adbench", "servers"])
    parser.add_argument("--only", nargs="+", default=[], help="names of contenders")
    parser.add_argument("--seeds", type=int, default=2, help="of the tabular sets")
    parser.add_argument("--out", type=Path, default=OUT)
    parsed = parser.parse_args(arguments)
    if not parsed.bench.is_dir():
        sys.exit(f"{parsed.bench}: no such folder; give --bench with adbench/ and smd/ in it.")
    results = _measured(jobs(parsed))
    tables: dict[str, Callable[[list[Result]], Iterator[str]]] = {
        "adbench": adbench.table,
        "servers": servers.table,
    }
    for kind in parsed.data:
        found = [result for which, result in results if which == kind]
        print("\n" + "\n".join(tables[kind](found)))
    parsed.out.parent.mkdir(parents=True, exist_ok=True)
    parsed.out.write_text(
        json.dumps([{"kind": kind, **asdict(result)} for kind, result in results], indent=1)
    )
    print(f"\nwritten to {os.path.relpath(parsed.out, settings.REPOSITORY)}")


def _measured(todo: list[Job]) -> list[tuple[str, Result]]:
    """All results; a line for each contender that is done, so that long runs are never silent."""
    left: dict[tuple[str, str], int] = {}
    for kind, _, name, _ in todo:
        left[kind, name] = left.get((kind, name), 0) + 1
    found: list[tuple[str, Result]] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(measure, job): job for job in todo}
        for done in as_completed(running):
            kind, _, name, _ = running[done]
            found.append((kind, done.result()))
            left[kind, name] -= 1
            if not left[kind, name]:
                print(f"  {kind}: {name} done", flush=True)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
