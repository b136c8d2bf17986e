"""Days with planted faults, as a broken source would deliver them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from pipeline.config import DetectorSpec, LaHauteBorneSource
from pipeline.data.sources.la_haute_borne import fetch
from pipeline.utc_day import end_of, midnight


@dataclass(frozen=True)
class PlantedFault:
    """One planted fault.

    Attributes:
        day: the day that it is planted in.
        story: what happened to the source.
        plant: function from the day's healthy rows to the faulty ones.
        blocks: whether the day is refused; else the channel is missing, and the rest is scored.
    """

    day: date
    story: str
    plant: Callable[[pd.DataFrame], pd.DataFrame]
    blocks: bool = True


def power_in_watts(rows: pd.DataFrame) -> pd.DataFrame:
    """A new firmware reports W instead of kW."""
    return rows.assign(power=rows["power"] * 1000)


def half_missing(rows: pd.DataFrame) -> pd.DataFrame:
    """The connection was down for half of the day."""
    morning: pd.DataFrame = rows[rows["timestamp"].dt.hour < 12]  # noqa: PLR2004 - noon
    return morning


def stuck_anemometer(rows: pd.DataFrame) -> pd.DataFrame:
    """One turbine repeats the first wind speed of the day."""
    one = rows["turbine"] == rows["turbine"].iloc[0]
    return rows.assign(wind_speed=rows["wind_speed"].mask(one, rows["wind_speed"][one].iloc[0]))


FAULTS = (
    PlantedFault(date(2014, 7, 1), "power arrives in W instead of kW", power_in_watts),
    PlantedFault(date(2014, 7, 2), "half of the rows are missing", half_missing),
    PlantedFault(
        date(2014, 7, 3), "one anemometer is stuck all day", stuck_anemometer, blocks=False
    ),
)


def plant(fault: PlantedFault, spec: DetectorSpec, *, cache: Path, data: Path) -> Path:
    """Write the fault's day where the source looks first; returns the file."""
    sample = LaHauteBorneSource(kind="la_haute_borne", replaced_days=None)
    rows = fetch(sample, spec.columns, midnight(fault.day), end_of(fault.day), cache)
    path = data / "drill" / f"{fault.day}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    fault.plant(rows).to_parquet(path, index=False)
    return path


def repair(fault: PlantedFault, *, data: Path) -> None:
    """Delete the faulty day."""
    (data / "drill" / f"{fault.day}.parquet").unlink()
