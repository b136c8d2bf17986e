"""What every source does last: declared columns, UTC, one interval, one order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from pipeline.config import Columns
from pipeline.errors import DataError

TIME_FAULT = "time_fault"
"""Column that says why a row's time cannot be trusted; absent when every time can."""

_OFFSET = re.compile(r"(?:Z|:\d{2}(?:\.\d+)?[+-]\d{2}(?::?\d{2})?)$", re.IGNORECASE)


def declared(columns: Columns) -> tuple[str, ...]:
    """The raw columns that a source is asked for."""
    entity = (columns.entity,) if columns.entity else ()
    return (columns.timestamp, *entity, *columns.features, *columns.evaluation_only)


def wanted(columns: Columns, rename: Mapping[str, str]) -> dict[str, str]:
    """Source column -> declared column, for each declared column."""
    by_new_name = {new: old for old, new in rename.items()}
    return {by_new_name.get(name, name): name for name in declared(columns)}


def nothing(columns: Columns) -> pd.DataFrame:
    """The frame of an interval for which the source has no rows."""
    frame = pd.DataFrame({name: pd.Series(dtype="float64") for name in declared(columns)})
    frame[columns.timestamp] = pd.Series(dtype="datetime64[ns, UTC]")
    if columns.entity:
        frame[columns.entity] = pd.Series(dtype="object")
    return frame


def shaped(
    delivered: pd.DataFrame, columns: Columns, timezone: str, start: datetime, end: datetime
) -> pd.DataFrame:
    """The rows of [`start`, `end`), in UTC and in time order, numbers as numbers.

    `delivered` already has declared names. `timezone` is that of timestamps without an offset.

    Raises:
        DataError: there is no timestamp column, or a timestamp cannot be read.
    """
    if columns.timestamp not in delivered:
        msg = (
            f"The source delivers no column {columns.timestamp!r}, only "
            f"{', '.join(map(str, delivered.columns)) or 'none'}; name the time column in "
            "schema.timestamp or map it in source.rename."
        )
        raise DataError(msg)
    moments, faults = _in_utc(delivered[columns.timestamp], timezone)
    inside = ((moments >= start) & (moments < end)).to_numpy()
    names = [name for name in declared(columns) if name in delivered]
    frame = delivered.loc[inside, names].copy()
    frame[columns.timestamp] = moments[inside]
    if faults[inside].notna().any():
        frame[TIME_FAULT] = faults[inside]
    for name in frame.columns.difference([columns.timestamp, columns.entity, TIME_FAULT]):
        frame[name] = _plain(frame[name])
    if columns.entity in frame:
        frame[columns.entity] = (
            frame[columns.entity]
            .astype(object)
            .where(frame[columns.entity].isna(), frame[columns.entity].astype(str))
        )
    order = [name for name in columns.row_key if name in frame]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _plain(values: pd.Series) -> pd.Series:
    """Numbers (a database's decimals too) as numbers, everything else as text."""
    if values.dtype != object:
        return values
    present = values.dropna()
    if present.map(lambda value: isinstance(value, bool)).all() and len(present) == len(values):
        return values.astype(bool)
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().equals(values.notna()):
        return numbers
    return values.where(values.isna(), values.astype(str))


def _in_utc(stamps: pd.Series, timezone: str) -> tuple[pd.Series, pd.Series]:
    """UTC times and, for a local time that happens twice or never, the reason as text."""
    no_fault = pd.Series(None, index=stamps.index, dtype="object")
    if isinstance(stamps.dtype, pd.DatetimeTZDtype):
        moments = stamps.dt.tz_convert("UTC").dt.as_unit("ns")
        _refuse_unreadable(stamps, moments)
        return moments, no_fault
    if pd.api.types.is_datetime64_dtype(stamps.dtype):
        _refuse_unreadable(stamps, stamps)
        return _localised(stamps.dt.as_unit("ns"), timezone)
    text = stamps.astype("string")
    bare = ~text.str.contains(_OFFSET, na=False)
    moments = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce").dt.as_unit("ns")
    _refuse_unreadable(stamps, moments)
    if not bare.any():
        return moments, no_fault
    local, faults = _localised(moments[bare].dt.tz_localize(None), timezone)
    return moments.mask(bare, local), no_fault.mask(bare, faults)


def _localised(naive: pd.Series, timezone: str) -> tuple[pd.Series, pd.Series]:
    zone = ZoneInfo(timezone)
    certain = naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    first = np.ones(len(naive), dtype=bool)
    guess = naive.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    faults = pd.Series(None, index=naive.index, dtype="object")
    doubtful = certain.isna()
    faults[doubtful] = [
        f"{stamp.isoformat(sep=' ')} does not say which of two moments it is, or never happened, "
        f"in {timezone}; deliver UTC or offsets"
        for stamp in naive[doubtful]
    ]
    return guess.dt.tz_convert("UTC"), faults


def _refuse_unreadable(stamps: pd.Series, moments: pd.Series) -> None:
    unreadable = moments.isna()
    if unreadable.any():
        row = int(unreadable.to_numpy().argmax())
        msg = (
            f"{int(unreadable.sum())} of {len(stamps)} timestamps cannot be read, the first is "
            f"{stamps.iloc[row]!r} in row {row + 1}; deliver ISO 8601 (2014-05-01T00:10:00Z), or "
            "a native timestamp type."
        )
        raise DataError(msg)
