"""Shares of the rows that lead up to a row: all that recognition remembers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline

FEWEST_ROWS = 6
"""A share is taken of so many rows at least: one odd row out of two is no shift."""


def lately(
    marks: NDArray[np.bool_], timeline: Timeline, span_ns: int, share: float
) -> NDArray[np.bool_]:
    """Where so many of an entity's rows in (t - span, t] are marked; shape of `marks`, (n, c).

    So many: more than `share` of the rows that the span should hold, so that a few rows after a
    gap do not stand for all of it. Rows may come in any order. Counts are whole numbers: the
    answer does not depend on what lies before the span or after t, not by a rounding either.
    """
    found = np.zeros(marks.shape, dtype=bool)
    limit = share * max(FEWEST_ROWS, span_ns / timeline.cadence_ns)
    for code, busy in _busy(marks, timeline, limit):
        own = np.flatnonzero(timeline.entity == code)
        own = own[np.argsort(timeline.time_ns[own], kind="stable")]
        time = timeline.time_ns[own]
        # Rows of one moment see each other, so that their order cannot matter.
        first, last = (np.searchsorted(time, at, side="right") for at in (time - span_ns, time))
        total = np.zeros((len(own) + 1, len(busy)), dtype=np.int64)
        np.cumsum(marks[np.ix_(own, busy)], axis=0, out=total[1:])
        found[np.ix_(own, busy)] = total[last] - total[first] > limit
    return found


def _busy(
    marks: NDArray[np.bool_], timeline: Timeline, limit: float
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Entities, each with its columns that have more than `limit` marks in all.

    Only these can have so many in a span; on an ordinary day it is none.
    """
    if not marks.any():
        return
    row, column = np.nonzero(marks)
    width = marks.shape[1]
    counts = np.bincount(
        timeline.entity[row] * width + column, minlength=len(timeline.names) * width
    )
    held = counts.reshape(-1, width) > limit
    for code in np.flatnonzero(held.any(axis=1)):
        yield int(code), np.flatnonzero(held[code])
