"""Conversion of rows to model inputs: each row alone, or with the rows before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.inputs.scored import Rows
from pipeline.errors import DataError

if TYPE_CHECKING:  # pandas, which scoring single rows does not need
    from pipeline.data.timeline import Mask, Timeline


@dataclass(frozen=True)
class Windows:
    """Model inputs, oldest row of a window first.

    Attributes:
        rows: shape (n, length * d).
        end: index of the last row of each window, which it is scored for, shape (n,); each row at
            most once.
    """

    rows: Rows
    end: NDArray[np.intp]


def windows(values: Rows, length: int, timeline: Timeline | None) -> Windows:
    """Every window of `length` consecutive rows; `values` has shape (rows, d), in any order.

    A window never contains a gap or rows of two entities, and so never rows of two blocks, as
    blocks lie apart in time. No window ends at the first `length - 1` rows of an unbroken run. With
    length 1 each row is its own window, in the order given.

    Raises:
        DataError: windows are longer than one row, and the rows have no time.
    """
    if length == 1:
        return Windows(values, np.arange(len(values), dtype=np.intp))
    if timeline is None:
        msg = (
            f"Windows of {length} rows need the order of the rows, and these rows have no time "
            "column. Name one under schema.timestamp, or set window.length to 1."
        )
        raise DataError(msg)
    from pipeline.data.timeline import runs  # noqa: PLC0415 - pandas, which single rows do not need

    order, run = runs(timeline)
    if len(order) < length:
        return Windows(
            np.empty((0, length * values.shape[1]), np.float32), np.empty(0, dtype=np.intp)
        )
    unbroken = run[length - 1 :] == run[: len(run) - length + 1]
    view = np.lib.stride_tricks.sliding_window_view(values[order], length, axis=0)[unbroken]
    flat = np.ascontiguousarray(view.transpose(0, 2, 1)).reshape(
        len(view), length * values.shape[1]
    )
    return Windows(flat, order[length - 1 :][unbroken])


def marked_in_window(marked: Mask, length: int, timeline: Timeline | None) -> Mask:
    """Features that are marked in any row of each window, shape (n, d); see `windows`."""
    cut = windows(marked.astype(np.float32), length, timeline).rows
    return np.asarray(cut.reshape(len(cut), length, marked.shape[1]).any(axis=1))
