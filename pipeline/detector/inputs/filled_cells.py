"""Cells filled in by stochastic regression imputation, with the network of a bundle.

A network for whole rows takes no missing value. So a channel whose values must not train is
replaced by what a fitted network expects of it in view of the others, plus the residual that
another row has in the same channel: without it the filled cells would have too little error, and a
threshold that is estimated on them would lie too low (Little & Rubin, Statistical Analysis with
Missing Data, 2002).

It differs from `missing_values.impute_stochastic`, which serves a fit, in two ways. The channel is
hidden in the rows that lend their residual, too: a network that sees a value copies part of it, so
its residual would be too small. And a row lends all columns of a channel at once, in the order of
time, so that a value and its deviation from peers, or two neighbouring rows, still fit each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Indices, Mask
from pipeline.detector.inputs.scaling import Ranges
from pipeline.detector.inputs.scored import Rows

_PASSES = 12
"""Each pass keeps as much of the start as the network copies of its input: less than 0.8
(`gate.maximum_noise_passthrough`), so that 7 % are left at most, and of the usual half nothing."""


@dataclass(frozen=True)
class Filling:
    """What fills cells in.

    Attributes:
        reconstruct: rows (n, d) to their reconstructions, in the rows' own units.
        start: shape (d,): the value that stands in a hidden cell before the first pass.
        ranges: filled values lie within them.
    """

    reconstruct: Callable[[Rows], Rows]
    start: NDArray[np.float32]
    ranges: Ranges

    def expected(self, rows: Rows, columns: Indices) -> Rows:
        """The values of `columns` that fit the other columns of each row, shape (n, columns)."""
        shown = rows.copy()
        shown[:, columns] = self.start[columns]
        low, high = self.ends(columns)
        for _ in range(_PASSES):
            shown[:, columns] = np.clip(self.reconstruct(shown)[:, columns], low, high)
        return shown[:, columns]

    def ends(self, columns: Indices) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The least and the greatest float32 within the ranges of `columns`."""
        lowest = np.array(self.ranges.lowest)[columns]
        highest = np.array(self.ranges.highest)[columns]
        low, high = lowest.astype(np.float32), highest.astype(np.float32)
        low = np.where(low < lowest, np.nextafter(low, np.float32(np.inf)), low)
        high = np.where(high > highest, np.nextafter(high, np.float32(-np.inf)), high)
        return low, high


def fill_cells(
    rows: Rows,
    hidden: Mask,
    machine: Indices,
    lenders: Mask,
    filling: Filling,
    generator: np.random.Generator,
) -> Rows:
    """`rows` with the hidden cells filled in; the same generator gives the same bytes.

    Args:
        rows: shape (n, d), finite; the rows of a machine in order of time.
        hidden: shape (n, d); the cells to fill in.
        machine: shape (n,); of each row. Residuals come from rows of the same machine.
        lenders: shape (n,); normal rows without a hidden cell. Each machine with a hidden cell
            needs one.
        filling: the network and its ranges.
        generator: the only source of randomness.
    """
    filled = rows.copy()
    for at, columns in _alike(hidden, machine):
        lent = np.flatnonzero(lenders & (machine == machine[at[0]]))
        residual = rows[np.ix_(lent, columns)] - filling.expected(rows[lent], columns)
        follow = (int(generator.integers(len(lent))) + np.arange(len(at))) % len(lent)
        values = filling.expected(rows[at], columns) + residual[follow]
        filled[np.ix_(at, columns)] = np.clip(values, *filling.ends(columns))
    return filled


def _alike(hidden: Mask, machine: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Rows of one machine with the same hidden columns, and these columns."""
    struck = np.flatnonzero(hidden.any(axis=1))
    keys = np.column_stack([machine[struck], hidden[struck]])
    patterns, group = np.unique(keys, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        yield struck[group.reshape(-1) == number], np.flatnonzero(pattern[1:])
