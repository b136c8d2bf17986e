"""Made data for tests: a farm of pumps, seeded, never stored.

Three pumps share one rhythm; each row is an hour. Whatever a test wants broken, it breaks itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd

from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.data.derive import derive
from pipeline.detector.thresholds.estimate import ThresholdEstimate

FIRST_DAY = date(2024, 1, 1)
PUMPS = ("a", "b", "c")
ROWS_A_DAY = 24 * len(PUMPS)

_PUMP_FARM: dict[str, Any] = {
    "name": "pumps",
    "source": {"kind": "parquet", "path": "nowhere.parquet"},
    "schema": {
        "timestamp": "timestamp",
        "entity": "pump",
        "entities": list(PUMPS),
        "cadence": "1h",
        "features": {
            "flow": {
                "unit": "l/s",
                "range": [0, 100],
                "stuck_after": "5h",
                "day_median": [5, 60],
            },
            "pressure": {"unit": "bar", "range": [0, 20]},
            "angle": {"unit": "deg", "range": [0, 360], "circular": True, "may_be_constant": True},
        },
        "derived": [{"kind": "peer_deviation", "of": ["flow", "pressure"]}],
        "evaluation_only": ["eval_incident"],
        "incident": "eval_incident",
        "exclude_from_training": ["eval_incident"],
    },
    "split": {"training_days": 30, "minimum_days": 6},
    "schedule": {"start": "2024-01-01"},
}


ESTIMATE = ThresholdEstimate(
    value=2.5,
    method="conformal",
    alpha=0.01,
    n=8640,
    n_effective=1234.5,
    interval=(2.25, None),
    rate_interval=(0.005, 0.016),
    low_confidence=False,
    note="",
)
"""A conformal threshold without an upper end."""


def make_spec(**sections: Any) -> DetectorSpec:
    """The pump farm's detector; each keyword replaces or, for a mapping, amends a section."""
    content = dict(_PUMP_FARM)
    for name, value in sections.items():
        held = content.get(name)
        amends = isinstance(value, Mapping) and isinstance(held, Mapping) and name != "source"
        content[name] = {**held, **value} if amends else value
    return DetectorSpec.model_validate(content)


def make_frame(n_days: int = 1, *, first_day: date = FIRST_DAY, seed: int = 0) -> pd.DataFrame:
    """Raw rows of the pump farm: every pump, every hour, all of them fit, by time and pump."""
    rng = np.random.default_rng([seed, first_day.toordinal()])
    hours = pd.date_range(first_day, periods=24 * n_days, freq="h", tz="UTC", unit="ns")
    load = 30 + 10 * np.sin(2 * np.pi * hours.hour.to_numpy() / 24)
    frame = pd.DataFrame(
        {
            "timestamp": hours.repeat(len(PUMPS)),
            "pump": np.tile(PUMPS, len(hours)),
            "flow": load.repeat(len(PUMPS)) + rng.normal(0, 1, len(hours) * len(PUMPS)),
        }
    )
    frame["pressure"] = 2 + frame["flow"] / 10 + rng.normal(0, 0.1, len(frame))
    frame["angle"] = rng.uniform(0, 360, len(frame))
    frame["eval_incident"] = False
    return frame


def make_telemetry(n_days: int = 1, *, first_day: date = FIRST_DAY, seed: int = 0) -> pd.DataFrame:
    """Rows as the table `telemetry` holds them: the pump farm's rows with the model's features."""
    return derive(make_frame(n_days, first_day=first_day, seed=seed), make_spec().columns)


def days(n: int, *, first_day: date = FIRST_DAY) -> list[date]:
    """`n` neighbouring days."""
    return [first_day + timedelta(days=offset) for offset in range(n)]


def moment(day: date, hour: int = 0) -> datetime:
    """An hour of a day, UTC."""
    return datetime.combine(day, time(hour), UTC)


def on(frame: pd.DataFrame, pump: str, hours: Sequence[int] = range(24)) -> pd.Series:
    """Mask of one pump's rows in some hours of each day."""
    return (frame["pump"] == pump) & frame["timestamp"].dt.hour.isin(list(hours))


def stored_in(root: object) -> settings.Deployment:
    """The deployment of the environment, its tables in `root`."""
    return replace(settings.load(), storage=str(root))
