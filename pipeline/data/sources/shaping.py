"""The last step of every source: declared columns, UTC, one interval, one order.

The meaning of a value depends on that value alone: not on the rest of its column, on its file, or
on the days that are fetched with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.grid import day_number, nanoseconds
from pipeline.data.raw_values import as_float64, names_of
from pipeline.data.sources.times import moments_of
from pipeline.errors import DataError
from pipeline.utc_day import DAY_NS, end_of, midnight

TIME_FAULT = "__time_fault__"
"""Column with the reason why a row's time cannot be trusted; absent when every time can."""

TIME_TEXT = "__time_text__"
"""Column with the time of a row that has no moment, as it was delivered; else absent."""

FILED_DAY = "__filed_day__"
"""Column with the day (since 1970, NaN: that of its time) that a row is rejected with: a row
without a moment, and one of another day than the file that holds it; absent when there is none."""

ABSENT = "__absent__"
"""Column with the declared columns that a row's file lacks, one a line; absent where no file, or
every file, lacks one."""

NOTES = (TIME_FAULT, TIME_TEXT, FILED_DAY, ABSENT)
"""The columns above: notes about a row, not part of its content."""

MARGIN = timedelta(hours=14)
"""Longest time by which a local day begins before, or ends after, the UTC day of its date."""

_OTHER_DELIMITERS = ";\t|,"


@dataclass(frozen=True)
class SourceRows:
    """Rows as one file, or one answer of a database, holds them.

    Attributes:
        rows: columns by their declared names, others may be among them.
        origin: its name in messages.
        day: the day that its path names; None: it may hold rows of any day.
    """

    rows: pd.DataFrame
    origin: str
    day: date | None = None


def declared(columns: Columns) -> tuple[str, ...]:
    """The raw columns to fetch from a source."""
    entity = (columns.entity,) if columns.entity else ()
    return (columns.timestamp, *entity, *columns.features, *columns.evaluation_only)


def wanted(
    columns: Columns, rename: Mapping[str, str], header: Sequence[str], origin: str
) -> dict[str, str]:
    """Column of the source -> declared column, for each declared column that `header` has.

    Raises:
        DataError: a declared column is there twice, so that it is unclear which is meant; or
            there is no timestamp column.
    """
    by_old_name = {old: rename.get(old, old) for old in header}
    count = Counter(rename.get(old, old) for old in header)
    for name in declared(columns):
        if count[name] > 1:
            named = [old for old in header if by_old_name[old] == name]
            msg = (
                f"{origin} has the column {name} {count[name]} times "
                f"({', '.join(map(repr, named))}); limit 1: deliver one of them, or give the "
                "others another name in source.rename."
            )
            raise DataError(msg)
    if not count[columns.timestamp]:
        raise DataError(_without_time(header, columns, origin))
    names = set(declared(columns))
    return {old: name for old, name in by_old_name.items() if name in names}


def nothing(columns: Columns) -> pd.DataFrame:
    """An empty frame, for an interval without rows in the source."""
    frame = pd.DataFrame({name: pd.Series(dtype="float64") for name in declared(columns)})
    frame[columns.timestamp] = pd.Series(dtype="datetime64[ns, UTC]")
    if columns.entity:
        frame[columns.entity] = pd.Series(dtype="object")
    return frame


def shaped(
    parts: Sequence[SourceRows],
    columns: Columns,
    timezone: str,
    start: datetime,
    end: datetime,
) -> pd.DataFrame:
    """The rows of [`start`, `end`), in UTC and in time order, numbers as numbers.

    `timezone` is that of timestamps without an offset. A row without a moment is filed under the
    day of its file; in a file of any days, under that of the row before it (the first ones: after
    it). A row of a day's file that lies farther than MARGIN from that day is filed under it.

    Raises:
        DataError: none of a file's timestamps can be read.
    """
    frames = [_one(each, columns, timezone, start, end) for each in parts]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    if not filled:
        return nothing(columns)
    held = set().union(*filled)
    for part in filled:
        lacking = [name for name in declared(columns) if name in held and name not in part]
        part[ABSENT] = "\n".join(lacking) or None
    frame = pd.concat(filled, ignore_index=True)
    kept = [name for name in (*declared(columns), *NOTES) if name in frame]
    frame = frame[[name for name in kept if name not in NOTES or frame[name].notna().any()]]
    for name in frame.columns.difference([*columns.row_key, *NOTES]):
        frame[name] = _of_one_type(frame[name])
    order = [name for name in columns.row_key if name in frame]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _one(
    source: SourceRows, columns: Columns, timezone: str, start: datetime, end: datetime
) -> pd.DataFrame:
    """The rows of one file that belong to, or are filed under, a day of the interval."""
    rows = source.rows
    moments = moments_of(rows[columns.timestamp], timezone)
    filed = _filed_days(moments.utc, source)
    days = np.isnan(filed)
    inside = ((moments.utc >= start) & (moments.utc < end)).to_numpy() & days
    first, last = (nanoseconds(pd.Series([pd.Timestamp(at)]))[0] for at in (start, end))
    inside |= (filed * DAY_NS >= first) & (filed * DAY_NS < last)
    frame = rows.loc[inside, [name for name in declared(columns) if name in rows]].copy()
    frame[columns.timestamp] = moments.utc[inside]
    frame[TIME_FAULT] = moments.fault[inside].astype(object)
    text = rows.loc[inside, columns.timestamp].astype(object)
    frame[TIME_TEXT] = text.where(frame[columns.timestamp].isna() & text.notna(), None).map(
        lambda stamp: str(stamp) if stamp is not None else None
    )
    frame[FILED_DAY] = filed[inside]
    for name in frame.columns.difference([*columns.row_key, *NOTES]):
        frame[name] = _plain(frame[name])
    if columns.entity is not None and columns.entity in frame:
        frame[columns.entity] = names_of(frame[columns.entity], columns.entity)
    return frame


def _without_time(header: Sequence[str], columns: Columns, origin: str) -> str:
    shown = ", ".join(map(repr, header)) or "none"
    fix = "name the time column in schema.timestamp or map it in source.rename"
    if len(header) == 1:
        found = [sign for sign in _OTHER_DELIMITERS if sign in header[0]]
        fix = f"set source.delimiter to {found[0]!r}" if found else fix
    return f"{origin} has no column {columns.timestamp!r}, only {shown}; {fix}."


def _filed_days(moments: pd.Series, source: SourceRows) -> NDArray[np.float64]:
    """The day that each row is rejected with; NaN for a row that belongs to the day of its time."""
    lost = moments.isna().to_numpy()
    number = np.where(lost, np.nan, nanoseconds(moments) // DAY_NS)
    if source.day is not None:
        begin = midnight(source.day)
        near = (moments >= begin - MARGIN) & (moments < end_of(source.day) + MARGIN)
        return np.where(near, np.nan, float(day_number(source.day)))
    if lost.any() and lost.all():
        raise DataError(_all_unreadable(source, len(moments)))
    nearest = pd.Series(number).ffill().bfill().to_numpy(dtype=np.float64)
    return np.where(lost, nearest, np.nan)


def _all_unreadable(source: SourceRows, rows: int) -> str:
    return (
        f"{source.origin}: none of {rows:,} timestamps can be read; deliver ISO 8601 "
        "(2014-05-01T00:10:00Z) or a native timestamp type, or name another column in "
        "schema.timestamp."
    )


def _plain(values: pd.Series) -> pd.Series:
    """Numbers (a database's decimals too) as float64; what is no number stays text."""
    if values.dtype == np.bool_:
        return values
    numbers = as_float64(values)
    other = (numbers.isna() & values.notna()).to_numpy()
    if not other.any():
        return numbers
    mixed = numbers.astype(object).where(numbers.notna(), None)
    mixed[other] = [str(value) for value in values[other]]
    return mixed


def _of_one_type(values: pd.Series) -> pd.Series:
    """Numbers among text as text, in full precision: a staged column has one type."""
    if not pd.api.types.is_object_dtype(values):
        return values
    if not any(isinstance(value, str) for value in values):
        return values.astype("float64")
    there = values.notna()
    texts = values.astype(object).where(there, None)
    texts[there] = [v if isinstance(v, str) else repr(float(v)) for v in values[there]]
    return texts
