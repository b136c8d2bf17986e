"""`make bench-operation`: every required number of a detector in production, in one table.

    python -m benchmarks.operation             all parts
    python -m benchmarks.operation drift shift some of them

A part that needs data which are not there says so in its row; nothing is left out in silence.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import structlog

from benchmarks.operation.rows import Row, table

PARTS = ("ratchet", "drift", "shift", "incidents", "backfill", "promotion", "replay")
RESULTS = Path(".plimsoll/benchmarks/operation.json")


def main() -> None:
    """Measure the parts that are asked for, print one table, write it as JSON."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.operation")
    asked.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all of them")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows: list[Row] = []
    for part in asked.parse_args().parts or PARTS:
        began = time.perf_counter()
        rows += importlib.import_module(f"benchmarks.operation.{part}").measure()
        print(f"{part}: {time.perf_counter() - began:.0f} s", flush=True)
    print(table(rows))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
