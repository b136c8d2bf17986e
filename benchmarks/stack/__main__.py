"""The composed stack at work, run natively as `make test-stack` runs it (root, Linux).

    python -m benchmarks.stack
    python -m benchmarks.stack --rows 2000000 --days 20

1. Memory and start of each service.
2. A hundred daily partitions of a live detector by one backfill: ingested, scored, judged.
3. Twenty million rows x 36 features on S3, scored by two Celery workers, against one plain process
   that scores the same rows from local files in the same run. Both tables must be equal.

Some 12 GB of a temporary folder are used and given back.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.stack import partitions, spread
from benchmarks.stack.station import started
from pipeline import settings

OUT = settings.HOME / "benchmarks" / "stack.json"


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stack", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="0: leave this part out")
    parser.add_argument("--days", type=int, default=100, help="0: leave this part out")
    parsed = parser.parse_args()
    repository = Path.cwd()
    found: dict[str, object] = {"load_average": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="plimsoll-stack-") as folder:
        home = Path(folder)
        plain = spread.score_here(home / "plain", parsed.rows, repository) if parsed.rows else None
        with started(home) as stack:
            found["healthy_s"] = stack.running.healthy_after
            found["idle_bytes"] = idle = stack.running.memory()
            if parsed.days:
                found["partitions"] = partitions.measure(stack, parsed.days)
            if plain is not None:
                found["spread"] = spread.measure(stack, plain, home / "plain")
            found["peak_bytes"] = stack.running.peak
            _print_table(stack.running.healthy_after, idle, stack.running.peak)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _print_table(healthy: dict[str, float], idle: dict[str, int], peak: dict[str, int]) -> None:
    print(f"\n{'service':<24} {'healthy s':>10} {'idle MiB':>10} {'peak MiB':>10}")
    for name in sorted(idle):
        most = peak.get(name, 0) >> 20
        print(f"{name:<24} {healthy[name]:>10.1f} {idle[name] >> 20:>10,} {most:>10,}")
    print(f"{'all':<24} {max(healthy.values()):>10.1f} {sum(idle.values()) >> 20:>10,}")


if __name__ == "__main__":
    main()
