"""A sample of the rows on disk: random rows, or whole stretches of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.cli.stored import Stored, batches, rows_by_number
from pipeline.data.sampling import sample_rows, sample_stretches, stretch_ns
from pipeline.detector.inputs.frames import utc_of
from pipeline.errors import DataError

_LEAST_WINDOWS = 20
"""Windows per stretch, at least: the first rows of a stretch end no full window."""


def sampled(
    source: Stored, columns: list[str], time: str | None, *, most: int, seed: int, window_ns: int
) -> pa.Table:
    """At most `most` rows of `source`, in order; independent of how the files are split.

    Raises:
        DataError: a time is absent, or no stretch of time is small enough.
    """
    if time is None:
        return rows_by_number(source, columns, sample_rows(source.rows, most, seed))
    return rows_by_number(source, columns, _in_stretches(source, time, most, seed, window_ns))


def few_times(source: Stored, time: str, limit: int) -> bool:
    """Whether there are fewer than `limit` distinct times; stops reading once there are."""
    found: set[object] = set()
    for table in batches(source, [time]):
        found.update(table[time].unique().to_pylist()[:limit])
        if len(found) >= limit:
            return False
    return True


def _in_stretches(
    source: Stored, time: str, most: int, seed: int, window_ns: int
) -> NDArray[np.int64]:
    """Numbers of the rows in the sampled stretches; reads only the times, three times over."""
    first, last = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for moments in _moments(source, time):
        first, last = min(first, int(moments.min())), max(last, int(moments.max()))
    length = stretch_ns(
        last - first + 1, total=source.rows, most=most, least_ns=_LEAST_WINDOWS * window_ns
    )
    # Counted from 1970: a file that grows at its end keeps its stretches.
    rows = np.zeros(last // length - first // length + 1, dtype=np.int64)
    for moments in _moments(source, time):
        rows += np.bincount(moments // length - first // length, minlength=len(rows))
    chosen = sample_stretches(rows, most, seed)
    if not rows[chosen].sum():
        msg = (
            f"No stretch of {length / 1e9:,.0f} s has {most:,} rows or fewer, so none can be "
            "sampled; raise --max-rows."
        )
        raise DataError(msg)
    numbers, start = [], 0
    for moments in _moments(source, time):
        numbers.append(start + np.flatnonzero(chosen[moments // length - first // length]))
        start += len(moments)
    return np.concatenate(numbers).astype(np.int64)


def _moments(source: Stored, time: str) -> Iterator[NDArray[np.int64]]:
    """UTC nanoseconds of the rows, a batch at a time."""
    for table in batches(source, [time]):
        yield utc_of(table[time].to_pandas(), time).asi8
