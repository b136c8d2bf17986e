"""Whether the scheduler keeps up: many daily partitions by one backfill."""

from __future__ import annotations

import time
from datetime import timedelta

from benchmarks.stack.station import Started, succeeded
from deploy.embedded.backfill import create_backfill, wait_for_backfill
from tests.integration.plant import ROWS_A_DAY, day_after

_HISTORY = 45
_LIMIT_S = 3600.0


def measure(stack: Started, days: int) -> dict[str, float]:
    """Seconds until the last of `days` partitions is ingested, and until it is scored."""
    station = stack.station
    station.deliver(range(_HISTORY + days))
    station.wake("load", "train", "ingest", "score")
    succeeded(station.load(0, _HISTORY - 1))
    succeeded(station.train(day_after(_HISTORY)))
    first, last = day_after(_HISTORY), day_after(_HISTORY + days - 1)
    began = time.monotonic()
    backfill = create_backfill(stack.airflow, "station__ingest", first, last, max_active_runs=4)
    ended = wait_for_backfill(stack.airflow, backfill, limit_s=_LIMIT_S)
    ingested = time.monotonic() - began
    while len(_scored(stack)) < days:
        if time.monotonic() - began > _LIMIT_S:
            raise TimeoutError(f"{len(_scored(stack))} of {days} days were scored")
        time.sleep(1)
    scored = time.monotonic() - began
    rows = station.table("scores", first_day=first, last_day=last)
    champions = rows[rows["role"] == "champion"].groupby("date").size()
    exact = champions.to_dict() == {first + timedelta(n): ROWS_A_DAY for n in range(days)}
    print(
        f"{days} daily partitions on two workers: ingested after {ingested:.0f} s, scored and "
        f"judged after {scored:.0f} s ({scored / days:.1f} s a day); runs {dict(ended)}; each day "
        f"exactly once: {exact}",
        flush=True,
    )
    return {"days": days, "ingested_s": ingested, "scored_s": scored, "exact": exact}


def _scored(stack: Started) -> list[dict[str, object]]:
    return [
        run for run in stack.airflow.runs("station__score") if run["state"] in {"success", "failed"}
    ]
