"""The moment of each row from a time column; a row whose time is unclear gets the reason.

Text is parsed by a grammar of our own: pandas reads a text by the texts before it (it may apply the
offset of one row to the next), and accepts `now` as a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.grid import FIRST_YEAR, LAST_YEAR

_FIX = "deliver ISO 8601 (2014-05-01T00:10:00Z) or a native timestamp type"
_TIME_OF_DAY = (
    r"(?:(?:[Tt]|\s+)(?P<hour>\d{1,2})"
    r"(?::?(?P<minute>\d{2})(?::?(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r"(?:\s*(?P<offset>[Zz]|[Uu][Tt][Cc]|[Gg][Mm][Tt]|[+-]\d{1,2}(?::?\d{2})?))?)?\s*$"
)
_DASHED = r"^\s*(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
_COMPACT = r"^\s*(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
_PARTS = ("year", "month", "day", "hour", "minute", "second", "fraction", "offset")
_HOUR, _OFFSET = _PARTS.index("hour"), _PARTS.index("offset")
_HOUR_MIN, _DAY_MIN = 60, 24 * 60


@dataclass(frozen=True)
class Moments:
    """The times of n rows.

    Attributes:
        utc: datetime64[ns, UTC], whole microseconds; NaT where a time is missing or unreadable.
        fault: the reason why a row's time cannot be trusted; None where it can. A local time that
            happened twice has a moment, the first, and a fault.
    """

    utc: pd.Series
    fault: pd.Series


def moments_of(stamps: pd.Series, timezone: str) -> Moments:
    """The moments of `stamps`; `timezone` applies to times without an offset.

    The moment of a row does not depend on any other row.
    """
    if isinstance(stamps.dtype, pd.DatetimeTZDtype):
        return _bounded(stamps, stamps.dt.tz_convert("UTC").dt.tz_localize(None), "UTC")
    if pd.api.types.is_datetime64_dtype(stamps.dtype):
        return _bounded(stamps, stamps, timezone)
    return _of_text(stamps, timezone)


def _bounded(stamps: pd.Series, naive: pd.Series, timezone: str) -> Moments:
    """Native times; one that nanoseconds since 1970 do not reach is unreadable."""
    year = naive.dt.year
    inside = year.between(FIRST_YEAR, LAST_YEAR)
    whole = naive.where(inside).dt.as_unit("ns").dt.floor("us")
    return _localised(whole, timezone, _unreadable(stamps, whole, year))


def _of_text(stamps: pd.Series, timezone: str) -> Moments:
    part = _parts([_text(stamp) for stamp in stamps.to_numpy(dtype=object)])
    # The end of a day as ISO 8601 may write it: 24:00 is 00:00 of the next.
    is_end = pc.match_substring_regex(
        pc.binary_join_element_wise(*part[_HOUR:_OFFSET], ""), "^240*$"
    )
    hour = pc.if_else(is_end, "00", part[_HOUR])
    texts = _in_one_form([*part[:_HOUR], hour, *part[_HOUR + 1 : _OFFSET]]).to_pandas()
    naive = pd.to_datetime(texts, format="%Y-%m-%dT%H:%M:%S.%f", errors="coerce")
    naive = naive.astype("datetime64[ns]").set_axis(stamps.index)
    naive += pd.to_timedelta(is_end.to_numpy(zero_copy_only=False).astype("int64"), unit="D")
    offset = part[_OFFSET].to_pandas().set_axis(stamps.index)
    minutes = offset.map({text: _minutes(text) for text in offset.unique()}).astype("float64")
    says_offset = offset.ne("")
    naive = naive.mask(says_offset & minutes.isna())
    year = pd.to_numeric(part[0].to_pandas(), errors="coerce").set_axis(stamps.index)
    fault = _unreadable(stamps, naive, year)
    local = _localised(naive.mask(says_offset), timezone, fault)
    utc = (naive - pd.to_timedelta(minutes.fillna(0), unit="min")).dt.tz_localize("UTC")
    return Moments(local.utc.mask(says_offset, utc), local.fault)


def _parts(texts: list[str | None]) -> list[pa.Array]:
    """For each of _PARTS that part of each text; all are empty where a text has no such form."""
    array = pa.array(texts, pa.string())
    ways = [pc.extract_regex(array, date + _TIME_OF_DAY) for date in (_DASHED, _COMPACT)]
    return [pc.coalesce(*(pc.struct_field(way, name) for way in ways), "") for name in _PARTS]


def _in_one_form(parts: Sequence[pa.Array]) -> pa.Array:
    """One text for each row, with six digits of a second.

    Further digits are cut: a table holds whole microseconds, and a rounded time might be of the
    next day.
    """
    year, *twos, fraction = parts
    month, day, hour, minute, second = (pc.utf8_lpad(part, 2, "0") for part in twos)
    fraction = pc.utf8_rpad(pc.utf8_slice_codeunits(fraction, 0, 6), 6, "0")
    date = pc.binary_join_element_wise(year, month, day, "-")
    time = pc.binary_join_element_wise(hour, minute, second, ":")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(date, time, "T"), fraction, ".")


def _minutes(offset: str) -> float:
    """Minutes east of Greenwich; NaN where there is no offset, or an impossible one."""
    if not offset:
        return np.nan
    if offset[0] not in "+-":
        return 0.0
    digits = offset[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")  # noqa: PLR2004 - HH or HHMM
    total = 60 * int(hours) + int(minutes)
    if int(minutes) >= _HOUR_MIN or total >= _DAY_MIN:
        return np.nan
    return float(-total if offset[0] == "-" else total)


def _localised(naive: pd.Series, timezone: str, fault: pd.Series) -> Moments:
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    certain = (
        naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC").copy()
    )
    doubtful = certain.isna() & naive.notna()
    doubted = naive[doubtful]
    first = np.ones(len(doubted), dtype=bool)
    guess = doubted.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    certain[doubtful] = guess.dt.tz_convert("UTC")
    fault = fault.copy()
    fault[doubtful] = [
        f"{stamp.isoformat(sep=' ')} does not say which of two moments it is, or never happened, "
        f"in {timezone}; deliver UTC or offsets"
        for stamp in doubted
    ]
    return Moments(certain, fault)


def _unreadable(stamps: pd.Series, moments: pd.Series, year: pd.Series) -> pd.Series:
    """The reason for each row without a moment."""
    fault = pd.Series(None, index=stamps.index, dtype="object")
    lost = np.flatnonzero(moments.isna())
    fault.iloc[lost] = [
        _why(stamp, each) for stamp, each in zip(stamps.iloc[lost], year.iloc[lost], strict=True)
    ]
    return fault


def _why(stamp: object, year: float) -> str:
    text = _text(stamp)
    if text is None or not text.strip():
        return f"the time is missing; {_FIX}"
    shown = repr(text if len(text) <= 40 else text[:37] + "...")  # noqa: PLR2004 - fits one line
    if not np.isnan(year) and not FIRST_YEAR <= year <= LAST_YEAR:
        return f"{shown} lies outside the years {FIRST_YEAR} to {LAST_YEAR}; correct the clock"
    return f"{shown} is no time that can be read; {_FIX}"


def _text(stamp: object) -> str | None:
    """A time as text; what a database gives as a time, in ISO 8601."""
    if stamp is None or stamp is pd.NaT or stamp is pd.NA:
        return None
    if isinstance(stamp, float) and np.isnan(stamp):
        return None
    return stamp.isoformat() if isinstance(stamp, datetime) else str(stamp)
