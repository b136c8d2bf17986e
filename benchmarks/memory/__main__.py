"""Fit and score 20 million x 50 float32 rows: peak memory and time, against 200,000 rows.

    python -m benchmarks.memory
    python -m benchmarks.memory --rows 2000000 --timed --groups 1

About 4 GB are written into a folder of their own and deleted again. The peak is the operating
system's figure for the process: everything resident, libraries included.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.memory.child import MemoryCost, run
from benchmarks.speed.contenders import FEATURES, made_rows, names
from pipeline import settings

FEW = 200_000
_CHUNK = 200_000
_LIMIT_MIB = 2048
_STEP_NS = 10**9  # a row a second
OUT = settings.HOME / "benchmarks" / "memory.json"


def write(path: Path, rows: int, groups: int, *, timed: bool) -> None:
    """Write synthetic rows, chunk by chunk."""
    kinds = [(name, pa.float32()) for name in names()]
    if timed:
        kinds.insert(0, ("timestamp", pa.timestamp("ns", tz="UTC")))
    size = -(-rows // groups)
    with pq.ParquetWriter(path, pa.schema(kinds), compression="none", use_dictionary=False) as to:
        for first in range(0, rows, size):
            parts = [
                _table(start, min(_CHUNK, first + size - start, rows - start), timed=timed)
                for start in range(first, min(first + size, rows), _CHUNK)
            ]
            to.write_table(pa.concat_tables(parts), row_group_size=size)


def _table(first: int, rows: int, *, timed: bool) -> pa.Table:
    values = made_rows(rows, seed=10 + first // _CHUNK)
    columns = {name: values[:, place] for place, name in enumerate(names())}
    if not timed:
        return pa.table(columns)
    time = pa.array(np.arange(first, first + rows) * _STEP_NS, pa.timestamp("ns", tz="UTC"))
    return pa.table({"timestamp": time, **columns})


def measure(rows: int, groups: int, folder: Path, *, timed: bool) -> dict[str, MemoryCost]:
    """Fit on few rows and on all, and score all with the latter."""
    few, many, bundle = folder / "few.parquet", folder / "many.parquet", folder / "bundle"
    write(few, FEW, 1, timed=timed)
    write(many, rows, groups, timed=timed)
    print(f"{many.stat().st_size / 1e9:.2f} GB written", flush=True)
    costs = {}
    for name, path in (("fit few", few), ("fit", many)):
        costs[name] = run("fit", "--train", str(path), "--out", str(bundle))
        print(f"  {name}: {costs[name].wall_s:.0f} s", flush=True)
    paths = ("--bundle", str(bundle), "--data", str(many), "--out", str(folder / "scores.parquet"))
    costs["score"] = run("score", *paths)
    return costs


def main(arguments: list[str]) -> None:
    """Measure, print one table, write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--groups", type=int, default=100, help="row groups of the file")
    parser.add_argument("--timed", action="store_true", help="rows that have a time")
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(parsed.rows, parsed.groups, Path(folder), timed=parsed.timed)
    rows = {"fit few": FEW, "fit": parsed.rows, "score": parsed.rows}
    print(
        f"\n{'what':<8} {'rows x ' + str(FEATURES):>12} {'s':>7} {'CPU s':>7} {'rows/s':>10}  MiB"
    )
    for name, cost in costs.items():
        verdict = "" if cost.peak_mib <= _LIMIT_MIB else f"  above {_LIMIT_MIB:,}"
        print(
            f"{name:<8} {rows[name]:>12,} {cost.wall_s:>7.1f} {cost.processor_s:>7.1f} "
            f"{rows[name] / cost.wall_s:>10,.0f} {cost.peak_mib:>6,.0f}{verdict}"
        )
    print(f"fit on all rows against few: {costs['fit'].wall_s / costs['fit few'].wall_s:.2f} times")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    written = {**vars(parsed), "costs": {name: asdict(cost) for name, cost in costs.items()}}
    OUT.write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
