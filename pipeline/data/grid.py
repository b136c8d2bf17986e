"""The cadence grid: the step to which a row belongs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.utc_day import DAY_NS, ONE_DAY

FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Times are kept in 64-bit nanoseconds since 1970, which reach from 1677-09 to 2262-04."""


def nanoseconds(moments: pd.Series) -> NDArray[np.int64]:
    """UTC nanoseconds since 1970 of a time column without gaps."""
    return pd.DatetimeIndex(moments).as_unit("ns").asi8


def slots(moments: pd.Series, cadence: timedelta) -> NDArray[np.int64]:
    """Nanoseconds of the grid point nearest to each time; the grid starts at 1970-01-01 UTC."""
    step = cadence_ns(cadence)
    return (nanoseconds(moments) + step // 2) // step * step


def slots_of(day: date, cadence: timedelta) -> NDArray[np.int64]:
    """The grid points of one UTC day, in nanoseconds."""
    step = cadence_ns(cadence)
    start = pd.Timestamp(day, tz="UTC").value
    first = -(-start // step) * step
    return np.arange(first, start + DAY_NS, step, dtype=np.int64)


def cadence_ns(cadence: timedelta) -> int:
    """`cadence` in nanoseconds."""
    return int(pd.Timedelta(cadence).value)


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def as_day(text: str) -> date:
    """The UTC day that `text` names, in one of ISO 8601's forms of a day.

    Raises:
        DataError: it is no day, or one that tables cannot hold.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        msg = f"{text[:40]!r} is no day; write 2026-11-29, for example."
        raise DataError(msg) from error
    require_day(day)
    return day


def require_day(day: date) -> None:
    """Refuse a day that has moments which tables cannot hold.

    Raises:
        DataError: its year lies outside FIRST_YEAR to LAST_YEAR.
    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        msg = (
            f"the day {day} lies outside the years {FIRST_YEAR} to {LAST_YEAR}, which tables can "
            "hold; name another day."
        )
        raise DataError(msg)


def stretches(days: Sequence[date], *, most: int) -> Iterator[tuple[date, ...]]:
    """Runs of neighbouring days, none longer than `most`; `days` in order, without repeats."""
    stretch: list[date] = []
    for day in days:
        if stretch and (day - stretch[-1] > ONE_DAY or len(stretch) == most):
            yield tuple(stretch)
            stretch = []
        stretch.append(day)
    if stretch:
        yield tuple(stretch)


def portions(
    days: Sequence[date], rows: Mapping[date, int], *, most_days: int, most_rows: int
) -> Iterator[tuple[date, ...]]:
    """As `stretches`, and with `most_rows` together unless one day alone holds more."""
    for stretch in stretches(days, most=most_days):
        portion: list[date] = []
        for day in stretch:
            if portion and sum(rows.get(each, 0) for each in (*portion, day)) > most_rows:
                yield tuple(portion)
                portion = []
            portion.append(day)
        yield tuple(portion)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days
