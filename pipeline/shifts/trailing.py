"""Shares of the rows that lead up to a row: the only state of recognition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline

FEWEST_ROWS = 6
"""Fewest rows of a share: one odd row out of two is no shift."""


def lately(
    marked: NDArray[np.bool_], timeline: Timeline, span_ns: int, share: float
) -> NDArray[np.bool_]:
    """Where so many of an entity's rows in (t - span, t] are marked; shape of `marked`, (n, c).

    So many: more than `share` of the rows that the span should hold, so that a few rows after a
    gap do not count for all of it. Rows may come in any order. Counts are whole numbers: the
    result does not depend on rows before the span or after t, not even by rounding.
    """
    found = np.zeros(marked.shape, dtype=bool)
    limit = share * max(FEWEST_ROWS, span_ns / timeline.cadence_ns)
    for code, busy in _busy(marked, timeline, limit):
        own = np.flatnonzero(timeline.entity == code)
        own = own[np.argsort(timeline.time_ns[own], kind="stable")]
        time = timeline.time_ns[own]
        # Rows of one moment see each other, so that their order cannot matter.
        first, last = (np.searchsorted(time, at, side="right") for at in (time - span_ns, time))
        total = np.zeros((len(own) + 1, len(busy)), dtype=np.int64)
        np.cumsum(marked[np.ix_(own, busy)], axis=0, out=total[1:])
        found[np.ix_(own, busy)] = total[last] - total[first] > limit
    return found


def _busy(
    marked: NDArray[np.bool_], timeline: Timeline, limit: float
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Entities, each with its columns that have more than `limit` marked rows in all.

    Only these can have so many in a span; on an ordinary day there are none.
    """
    if not marked.any():
        return
    row, column = np.nonzero(marked)
    width = marked.shape[1]
    counts = np.bincount(
        timeline.entity[row] * width + column, minlength=len(timeline.names) * width
    )
    held = counts.reshape(-1, width) > limit
    for code in np.flatnonzero(held.any(axis=1)):
        yield int(code), np.flatnonzero(held[code])
