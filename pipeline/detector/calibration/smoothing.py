"""Moving averages of scores, so that lasting anomalies stand out and single spikes do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # pandas, which scoring single rows does not need
    from pipeline.data.timeline import Indices, Mask


class Runs(NamedTuple):
    """The order of rows within unbroken runs, as `pipeline.data.timeline.runs` gives it.

    Attributes:
        order: row indices, run by run, in order of time; shape (n,).
        run: number of the unbroken run of each of them, ascending; shape (n,).
    """

    order: Indices
    run: Indices


def smooth(values: NDArray[np.floating], runs: Runs, rows: int) -> NDArray[np.float64]:
    """The mean of the last `rows` values of each row's run, its own included.

    `values` has shape (n,) or (n, d). The first rows of a run average fewer values. Each mean is
    summed newest row first, so that it does not depend on other rows, to the last bit.
    """
    ordered = values[runs.order].astype(np.float64)
    total, count = ordered.copy(), np.ones(len(ordered))
    for back in range(1, rows):
        same = runs.run[back:] == runs.run[:-back]
        if not same.any():
            break
        held = same.reshape(-1, *[1] * (values.ndim - 1))
        total[back:] += np.where(held, ordered[:-back], 0.0)
        count[back:] += same
    smoothed = np.empty_like(total)
    smoothed[runs.order] = total / count.reshape(-1, *[1] * (values.ndim - 1))
    return smoothed


def leading_up(wanted: Mask, runs: Runs, rows: int) -> Mask:
    """Mask of the rows whose values enter the means of the `wanted` rows."""
    ordered = wanted[runs.order]
    needed = ordered.copy()
    for back in range(1, rows):
        same = runs.run[back:] == runs.run[:-back]
        needed[:-back] |= ordered[back:] & same
    found = np.empty_like(needed)
    found[runs.order] = needed
    return found
