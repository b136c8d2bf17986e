"""A made-up pumping station: three pumps, ten-minute rows, one Parquet file a day.

Small enough that its detector trains in a second, honest enough that it passes a real gate: the
channels hang together, so that a fault in one of them shows, and rows are nearly independent, so
that few days make a threshold.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = date(2024, 1, 1)
PUMPS = ("north", "south", "west")
STEPS_A_DAY = 144
ROWS_A_DAY = STEPS_A_DAY * len(PUMPS)
INCIDENTS = dict(zip(range(2, 60, 5), PUMPS * 4, strict=True))
"""Days after the first on which a pump runs dry for two hours: every fifth, so that days of each
of the six parts of a split have one."""

_DETECTOR: dict[str, Any] = {
    "description": "A made-up pumping station.",
    "source": {"kind": "parquet", "path": "station/{date}.parquet"},
    "schema": {
        "timestamp": "time",
        "entity": "pump",
        "entities": list(PUMPS),
        "cadence": "10min",
        "features": {
            "flow": {"unit": "l/s", "range": [-20, 200]},
            "pressure": {"unit": "bar", "range": [-5, 40]},
            "power": {"unit": "kW", "range": [-20, 200]},
            "temperature": {"unit": "degC", "range": [-20, 120]},
            "valve": {"unit": "deg", "range": [0, 360], "circular": True},
        },
        "derived": [{"kind": "peer_deviation", "of": ["pressure"]}],
        "evaluation_only": ["eval_incident"],
        "incident": "eval_incident",
        "exclude_from_training": ["eval_incident"],
    },
    "split": {"training_days": 30, "minimum_days": 12},
    "model": {"members": 2, "width": 32, "steps": 250},
    # A history that has ended, so that nothing runs but what a test starts.
    "schedule": {"start": "2024-01-01", "end": "2024-02-29", "train": "0 3 1 * *"},
}


def write_detector(folder: Path, name: str, **sections: Any) -> Path:
    """A detector file of the station in `folder`; each keyword replaces a section."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **_DETECTOR, **sections}, sort_keys=False))
    return path


def day_after(n: int) -> date:
    """The day `n` days after the first."""
    return FIRST_DAY + timedelta(days=n)


def make_day(n: int) -> pd.DataFrame:
    """The station's measurements of one day, incidents included; the same rows every time."""
    random = np.random.default_rng([7, n])
    time = pd.date_range(day_after(n), periods=STEPS_A_DAY, freq="10min", tz="UTC")
    shape = (STEPS_A_DAY, len(PUMPS))
    demand = random.normal(size=(STEPS_A_DAY, 1)) + 0.5 * random.normal(size=shape)
    valve = random.uniform(0, 2 * np.pi, size=shape)
    flow = 60 + 12 * demand + 4 * np.sin(valve)
    columns = {
        "flow": flow,
        "pressure": 10 + 0.1 * (flow - 60) + np.cos(valve),
        "power": 40 + 0.6 * (flow - 60) + 2 * np.cos(valve),
        "temperature": 50 + 0.3 * (flow - 60) - 2 * np.sin(valve),
    }
    spread = {"flow": 1.0, "pressure": 0.1, "power": 0.7, "temperature": 0.4}
    columns = {k: v + spread[k] * random.normal(size=shape) for k, v in columns.items()}
    incident = np.zeros(shape, dtype=bool)
    if n in INCIDENTS:
        dry = np.s_[60:72, PUMPS.index(INCIDENTS[n])]
        incident[dry] = True
        columns["flow"][dry] *= 0.3
        columns["temperature"][dry] += 15
    columns |= {"valve": np.degrees(valve), "eval_incident": incident}
    return pd.DataFrame(
        {
            "time": time.repeat(len(PUMPS)),
            "pump": np.tile(PUMPS, STEPS_A_DAY),
            **{name: values.ravel() for name, values in columns.items()},
        }
    )


def deliver(data: Path, n: int, frame: pd.DataFrame | None = None) -> Path:
    """Put one day where the source looks for it: as it was measured, or as `frame` has it."""
    path = data / "station" / f"{day_after(n)}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    (make_day(n) if frame is None else frame).to_parquet(path, index=False)
    return path
