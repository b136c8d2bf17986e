"""Cells filled in with the network of a bundle, and for a training by stochastic imputation.

A network for whole rows takes no missing value. So a channel whose values must not count is
replaced by what a fitted network expects of it in view of the others. That is all where a row is
scored without the channel (`pipeline.scoring`, `pipeline.detector.attribution`): its error is left
out anyway.

Where the row trains, the residual that another row has in the same channel is added: without it
the filled cells would have too little error, and a threshold that is estimated on them would lie
too low (stochastic regression imputation: Little & Rubin, Statistical Analysis with Missing Data,
2002).

It differs from `missing_values.impute_stochastic`, which serves a fit, in two ways. The channel is
hidden in the rows that lend their residual, too: a network that sees a value copies part of it, so
its residual would be too small. And a row lends all columns of a channel at once, in the order of
time, so that a value and its deviation from peers, or two neighbouring rows, still fit each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.inputs.scaling import Ranges
from pipeline.detector.inputs.scored import Rows

if TYPE_CHECKING:  # pandas, which scoring rows does not need
    from pipeline.data.timeline import Indices, Mask

PASSES = 12
"""Each pass keeps as much of the start as the network copies of its input: less than 0.8
(`gate.maximum_noise_passthrough`), so that 7 % are left at most, and of the usual half nothing."""


@dataclass(frozen=True)
class Filling:
    """What fills cells in.

    Attributes:
        reconstruct: rows (n, d) to their reconstructions, in the rows' own units.
        start: shape (d,): the value that stands in a hidden cell before the first pass.
        ranges: filled values lie within them.
        passes: number of reconstructions; 0: the start stays.
    """

    reconstruct: Callable[[Rows], Rows]
    start: NDArray[np.float32]
    ranges: Ranges
    passes: int = PASSES

    def expected(self, rows: Rows, hidden: Mask) -> Rows:
        """`rows`, shape (n, d), with values in the hidden cells that fit the others of each row.

        `hidden` has the shape of `rows`, or is that of each row, (d,). Rows without a hidden cell
        are not reconstructed. A row's values do not depend on the rows beside it.
        """
        made = rows.copy()
        hidden = np.broadcast_to(hidden, rows.shape)
        struck = np.flatnonzero(hidden.any(axis=1))
        if not len(struck):
            return made
        low, high = self.ends()
        away = hidden[struck]
        shown = np.where(away, self.start, rows[struck])
        for _ in range(self.passes):
            shown = np.where(away, np.clip(self.reconstruct(shown), low, high), shown)
        made[struck] = shown
        return made

    def ends(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The least and the greatest float32 within the range of each column."""
        lowest, highest = np.array(self.ranges.lowest), np.array(self.ranges.highest)
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
    low, high = filling.ends()
    for at, columns in _alike(hidden, machine):
        lent = np.flatnonzero(lenders & (machine == machine[at[0]]))
        away = np.isin(np.arange(rows.shape[1]), columns)
        residual = (rows[lent] - filling.expected(rows[lent], away))[:, columns]
        follow = (int(generator.integers(len(lent))) + np.arange(len(at))) % len(lent)
        values = filling.expected(rows[at], away)[:, columns] + residual[follow]
        filled[np.ix_(at, columns)] = np.clip(values, low[columns], high[columns])
    return filled


def _alike(hidden: Mask, machine: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Rows of one machine with the same hidden columns, and these columns."""
    struck = np.flatnonzero(hidden.any(axis=1))
    keys = np.column_stack([machine[struck], hidden[struck]])
    patterns, group = np.unique(keys, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        yield struck[group.reshape(-1) == number], np.flatnonzero(pattern[1:])
