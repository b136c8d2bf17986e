"""Selection of held-out rows: whole stretches of time, evenly spread, or random rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline
from pipeline.utc_day import DAY_NS

_FEWEST_CYCLES = 3
"""Days are held out only when there are enough for the start, the middle and the end."""


def hold_out(
    n: int,
    timeline: Timeline | None,
    *,
    every: int,
    seed: int,
    least: int = 1,
    most: int | None = None,
) -> NDArray[np.bool_]:
    """A mask of shape (n,), true for the rows held out: about one in `every`.

    With time these are whole UTC days, or equal stretches when there are few days; neighbouring
    rows are alike, so a random row's neighbour would be in the other part. Without time they are
    sampled at random by `seed`, at most `most`. To reach `least` rows up to half are held out.
    """
    if timeline is None:
        wanted = min(n // every, most or n)
        count = min(max(wanted, least), n // 2)
        mask = np.zeros(n, dtype=bool)
        mask[np.random.default_rng(seed).permutation(n)[:count]] = True
        return mask
    mask = np.zeros(n, dtype=bool)
    for cycle in range(every, 1, -1):
        stretch = _stretches(timeline, cycle)
        mask = np.asarray(stretch % cycle == (2 * cycle) // 3)
        if mask.sum() >= least:
            return mask
    return mask


def _stretches(timeline: Timeline, cycle: int) -> NDArray[np.intp]:
    """Number of the stretch of time of each row: its day, or one of equal parts."""
    days = np.unique(timeline.time_ns // DAY_NS, return_inverse=True)[1]
    if days.max(initial=0) + 1 >= _FEWEST_CYCLES * cycle:
        return days.astype(np.intp)
    moments = np.unique(timeline.time_ns, return_inverse=True)[1]
    parts = min(_FEWEST_CYCLES * cycle, int(moments.max(initial=0)) + 1)
    return np.asarray(moments * parts // (moments.max(initial=0) + 1), dtype=np.intp)
