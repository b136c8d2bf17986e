"""`python -m benchmarks.replay`: run it, print the table, write table, numbers and figure."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import structlog

from benchmarks.replay.picture import figure
from benchmarks.replay.replaying import replay
from benchmarks.replay.report import as_json, markdown
from pipeline import settings

OUT = settings.HOME / "benchmarks"


def main() -> None:
    """Replay two years."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay")
    parser.add_argument("--folder", type=Path, help="keep tables and registry below it, in replay/")
    parser.add_argument("--out", type=Path, default=OUT, help="for replay.md, .json and .png")
    asked = parser.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    began = time.perf_counter()
    replayed = replay(
        asked.folder,
        lambda text: print(f"[{time.perf_counter() - began:4.0f} s] {text}", flush=True),
    )
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "replay.md").write_text(markdown(replayed), encoding="utf-8")
    (asked.out / "replay.json").write_text(as_json(replayed), encoding="utf-8")
    (asked.out / "replay.png").write_bytes(figure(replayed))
    print("\n" + markdown(replayed))
    print(f"{replayed.took_s:.0f} s; written: replay.md, .json and .png in {asked.out}")


if __name__ == "__main__":
    main()
