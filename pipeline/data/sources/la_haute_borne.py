"""Source `la_haute_borne`: four wind turbines in the north-east of France, 2014-2015, 10 minutes.

Data: ENGIE, "La Haute Borne", Licence Ouverte 2.0, as shipped in the `openoa` package. One row a
turbine and time, tidied once into a Parquet file in the cache.

The source has the hour of each clock change in March twice and that in October never: 48 rows
share turbine and time with another row, with other values. They are kept, for the contract to find.
"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog
from numpy.typing import NDArray

from pipeline.config import Columns, LaHauteBorneSource, ParquetSource
from pipeline.data.sources import parquet_files
from pipeline.data.sources.locations import files_of
from pipeline.data.sources.openoa_wheel import wheel_in
from pipeline.data.sources.shaping import declared
from pipeline.errors import DataError
from pipeline.file_lock import file_lock
from pipeline.utc_day import ONE_DAY

ATTRIBUTION = "ENGIE, La Haute Borne, Licence Ouverte 2.0"
_PREPARED = "la_haute_borne-1.parquet"  # count up when the preparation changes
_ARCHIVE = "examples/data/la_haute_borne.zip"
_NAMES = {
    "Wind_turbine_name": "turbine",
    "Ba_avg": "pitch",
    "P_avg": "power",
    "Ws_avg": "wind_speed",
    "Va_avg": "vane",
    "Ot_avg": "outside_temperature",
    "Ya_avg": "yaw",
    "Wa_avg": "wind_direction",
}

# The rule for an outage: the turbine has stopped although it has wind and its neighbours run.
_STOPPED_KW = 10.0
_HAS_WIND_M_S = 5.0
_RUNS_KW = 100.0
_RUNNING_NEIGHBOURS = 2
_ROWS_AT_LEAST = 6  # one hour

log = structlog.get_logger()


def fetch(
    config: LaHauteBorneSource,
    columns: Columns,
    start: datetime,
    end: datetime,
    cache: Path,
) -> pd.DataFrame:
    """The rows of [`start`, `end`); see `Source`.

    Channels: pitch, vane, yaw, wind_direction (deg), power (kW), wind_speed (m/s),
    outside_temperature (degC); `eval_incident` (this turbine is out, by the rule above) and
    `eval_availability_loss` (the farm lost energy to unavailable turbines).
    """
    prepared = _prepared_in(cache)
    available = pq.read_schema(prepared).names
    names = [name for name in declared(columns) if name in available]
    if columns.timestamp not in names:
        msg = f"source la_haute_borne calls its time `timestamp`, not {columns.timestamp!r}"
        raise DataError(msg + "; set schema.timestamp to it.")
    time = pc.field(columns.timestamp)
    rows = pq.read_table(prepared, columns=names, filters=(time >= start) & (time < end))
    frame: pd.DataFrame = rows.to_pandas()
    if config.replaced_days is None:
        return frame
    return _with_days_replaced(frame, config.replaced_days, columns, (start, end))


def _with_days_replaced(
    frame: pd.DataFrame,
    path: str,
    columns: Columns,
    interval: tuple[datetime, datetime],
) -> pd.DataFrame:
    """`frame` with each day that has a file at `path` read from that file instead."""
    source = ParquetSource(kind="parquet", path=path)
    for number in range((interval[1] - interval[0]) // ONE_DAY):
        start = interval[0] + number * ONE_DAY
        files = files_of(path, (".parquet",), start.date())
        if not files:
            continue
        time = frame[columns.timestamp]
        kept = frame[(time < start) | (time >= start + ONE_DAY)]
        replaced = parquet_files.read(files, source, columns, start, start + ONE_DAY)
        frame = pd.concat([kept, replaced], ignore_index=True)
    order = [name for name in (columns.timestamp, columns.entity) if name is not None]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _prepared_in(cache: Path) -> Path:
    """The tidied file; made by the first of several processes that need it, awaited by the rest."""
    prepared = cache / _PREPARED
    if prepared.exists():
        return prepared
    with file_lock(cache / "la_haute_borne.lock"):
        if not prepared.exists():
            frame = tidy(wheel_in(cache))
            unfinished = prepared.with_suffix(".unfinished")
            frame.to_parquet(unfinished, index=False, row_group_size=20_000)
            unfinished.replace(prepared)
            log.info("sample_data_prepared", rows=len(frame), attribution=ATTRIBUTION)
    return prepared


def tidy(wheel: Path) -> pd.DataFrame:
    """Both years as one frame, in order of time and turbine."""
    with zipfile.ZipFile(wheel) as package, package.open(_ARCHIVE) as inner:
        archive = zipfile.ZipFile(io.BytesIO(inner.read()))
    with archive.open("la-haute-borne-data-2014-2015.csv") as stream:
        scada = pd.read_csv(stream)
    with archive.open("plant_data.csv") as stream:
        plant = pd.read_csv(stream)
    frame = scada.rename(columns=_NAMES)
    frame.insert(0, "timestamp", _utc(frame.pop("Date_time")))
    losing = plant["availability_kwh"] > 0
    lost = pd.DatetimeIndex(_utc(plant["time_utc"])[losing])
    frame["eval_incident"] = _is_out(frame)
    frame["eval_availability_loss"] = frame["timestamp"].isin(lost)
    return frame.sort_values(["timestamp", "turbine"], kind="stable", ignore_index=True)


def _utc(stamps: pd.Series) -> pd.Series:
    return pd.to_datetime(stamps, utc=True, format="ISO8601").dt.as_unit("ns")


def _is_out(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows of `frame` in an outage, by its first row of each turbine and time."""
    first = frame.drop_duplicates(["timestamp", "turbine"])
    by_turbine = first.pivot_table(
        index="timestamp", columns="turbine", values=["power", "wind_speed"], dropna=False
    )
    power, wind = pd.DataFrame(by_turbine["power"]), pd.DataFrame(by_turbine["wind_speed"])
    running = (power > _RUNS_KW).astype(int)
    neighbours = -running.sub(running.sum(axis=1), axis=0)
    stopped = (power < _STOPPED_KW) & (wind > _HAS_WIND_M_S) & (neighbours >= _RUNNING_NEIGHBOURS)
    out = stopped.apply(_in_long_runs)
    row = out.index.get_indexer(pd.Index(frame["timestamp"]))
    column = out.columns.get_indexer(pd.Index(frame["turbine"]))
    marked: NDArray[np.bool_] = out.to_numpy(dtype=bool)[row, column]
    return marked


def _in_long_runs(stopped: pd.Series) -> pd.Series:
    run = (stopped != stopped.shift()).cumsum()
    return stopped & (stopped.groupby(run).transform("size") >= _ROWS_AT_LEAST)
