"""The cost of the stuck-sensor rule in the validation of a day with many stuck runs.

    python -m benchmarks.validation [--machines 400 800]

A coarse sensor repeats each value four times, and all of these runs are stuck.
"""

from __future__ import annotations

import argparse
import time
from datetime import date

import numpy as np
import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.contract import validate_days

_DAY = date(2026, 1, 5)
_ROWS = 144


def main() -> None:
    """Seconds with and without the rule, and their ratio; the best of three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, nargs="+", default=[200, 400, 800])
    for machines in parser.parse_args().machines:
        frame = _day(machines)
        plain, ruled = (_seconds(frame, stuck_after=limit) for limit in (None, "20min"))
        print(
            f"{machines} machines, {len(frame):,} rows: {ruled:.2f} s, without the rule "
            f"{plain:.2f} s, ratio {ruled / plain:.2f}",
            flush=True,
        )


def _day(machines: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    moments = pd.date_range(str(_DAY), periods=_ROWS, freq="10min", tz="UTC")
    return pd.DataFrame(
        {
            "time": np.tile(moments, machines),
            "machine": np.repeat([f"m{number}" for number in range(machines)], _ROWS),
            "a": np.repeat(rng.normal(size=_ROWS // 4 * machines), 4),
            "b": rng.normal(size=_ROWS * machines),
        }
    )


def _seconds(frame: pd.DataFrame, *, stuck_after: str | None) -> float:
    spec = DetectorSpec.model_validate(
        {
            "name": "coarse",
            "source": {"kind": "csv", "path": "nowhere.csv"},
            "schema": {
                "timestamp": "time",
                "entity": "machine",
                "cadence": "10min",
                "features": {"a": {"unit": "1", "stuck_after": stuck_after}, "b": {"unit": "1"}},
            },
            "schedule": {"start": str(_DAY)},
        }
    )
    took = []
    for _ in range(3):
        start = time.perf_counter()
        validate_days(frame, spec, [_DAY])
        took.append(time.perf_counter() - start)
    return min(took)


if __name__ == "__main__":
    main()
