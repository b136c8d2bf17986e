"""A young station on a river: the days of Blacksmith Fork that pass validation, as a user has them.

Logan River Observatory, 2019 and the first quarter of 2020, rows of 15 minutes, six sensors. The
source has nothing between 21 November 2019 and the new year. Technicians have marked what they
corrected; no training and no threshold sees these marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from pipeline import settings
from pipeline.config import Columns, DetectorSpec, Feature, ParquetSource, Schedule
from pipeline.data.contract import validate_days
from pipeline.data.grid import days_between

FOLDER = settings.REPOSITORY.parent / "shared" / "bench" / "lro"
FIRST, LAST = date(2019, 1, 1), date(2020, 3, 31)
_FILES = ("BlackSmithFork-2019.parquet", "BlackSmithFork-2020.parquet")
_UNITS = {
    "temp": "degC",
    "cond": "uS/cm",
    "ph": "pH",
    "do": "mg/L",
    "turb": "NTU",
    "stage": "cm",
}
MARK = "eval_technicians"
"""True where technicians corrected a value of the row; it evaluates and does nothing else."""


@dataclass(frozen=True)
class StationDays:
    """What the source delivered, and what of it became telemetry.

    Attributes:
        spec: the detector file; all settings are the defaults.
        delivered: times of all rows of the source.
        telemetry: rows that passed validation with every channel, in order of time.
    """

    spec: DetectorSpec
    delivered: pd.Series
    telemetry: pd.DataFrame


def absent() -> str:
    """Why it cannot be measured here; empty where it can."""
    lacking = [name for name in _FILES if not (FOLDER / name).exists()]
    return f"needs ../shared/bench/lro with {', '.join(lacking)}" if lacking else ""


def station_spec() -> DetectorSpec:
    """The detector file of somebody who knows the units of the sensors and nothing else."""
    columns = Columns(
        cadence=timedelta(minutes=15),
        features={name: Feature(unit=unit) for name, unit in _UNITS.items()},
        evaluation_only=(MARK,),
    )
    return DetectorSpec(
        name="blacksmith_fork",
        source=ParquetSource(kind="parquet", path="unused"),
        schema=columns,
        schedule=Schedule(start=FIRST),
    )


def station_days(folder: Path = FOLDER) -> StationDays:
    """Read and validate all days."""
    spec = station_spec()
    raw = pd.concat([pd.read_parquet(folder / name) for name in _FILES], ignore_index=True)
    frame = raw[list(_UNITS)].assign(
        timestamp=raw["timestamp"].dt.tz_localize("UTC"), **{MARK: raw["label"].astype(bool)}
    )
    days = validate_days(frame, spec, days_between(FIRST, LAST))
    accepted = [days[day].accepted for day in sorted(days) if len(days[day].accepted)]
    rows = pd.concat(accepted, ignore_index=True).dropna(subset=list(_UNITS), ignore_index=True)
    return StationDays(spec, frame["timestamp"], rows)
