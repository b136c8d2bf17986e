"""The rows of a file in blocks that can be scored one by one with the same result.

A score may look back: a window, a smoothing, a deviation from peers. Then a block begins with the
rows that its first scores depend on, which are scored again but not written again. That needs rows
in order of time; rows in any other order are one block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.cli.stored import BATCH, Stored, batches, whole
from pipeline.config.columns import GAP_CADENCES
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.arrow import to_numpy

_NS = 1e9


@dataclass(frozen=True)
class ScoringBlock:
    """Rows to score; the scores of the first `seen` of them are known already."""

    table: pa.Table
    seen: int


@dataclass(frozen=True)
class Reach:
    """The other rows that scores depend on.

    Attributes:
        time: the column that orders rows.
        back_ns: how far back, nanoseconds.
        grid_ns: rows of one step of this grid stay together, as peers must; 1: of one moment.
    """

    time: str
    back_ns: int
    grid_ns: int


def reach_of(bundle: Bundle, *, deriving: bool) -> Reach | None:
    """The reach of the scores of `bundle`; None when each row is scored alone."""
    schema = bundle.schema
    if (bundle.reach == 1 and not deriving) or schema.timestamp is None or schema.cadence_s is None:
        return None
    step = schema.cadence_s * _NS
    # One row more than the scores need: the first of them may only close a gap.
    back = GAP_CADENCES * step * bundle.reach
    return Reach(schema.timestamp, round(back), round(step) if deriving else 1)


def blocks(source: Stored, columns: list[str], reach: Reach | None) -> Iterator[ScoringBlock]:
    """Blocks in which every row is new once, in the order of the file."""
    if reach is None:
        return (ScoringBlock(table, 0) for table in batches(source, columns))
    if source.rows <= BATCH or not in_order(source, reach.time):
        return iter([ScoringBlock(whole(source).select(columns), 0)])
    return _overlapping(source, columns, reach)


def in_order(source: Stored, time: str) -> bool:
    """Whether no row is earlier than the row before it; false when that is unknown."""
    if time not in source.schema.names or not pa.types.is_timestamp(source.schema.field(time).type):
        return False
    last = np.iinfo(np.int64).min
    for table in batches(source, [time]):
        moments = _ns(table, time)
        if table[time].null_count or moments[0] < last or (np.diff(moments) < 0).any():
            return False
        last = int(moments[-1])
    return True


def _overlapping(source: Stored, columns: list[str], reach: Reach) -> Iterator[ScoringBlock]:
    held, seen = None, 0
    for table in batches(source, columns):
        held = table if held is None else pa.concat_tables([held, table])
        moments = _ns(held, reach.time)
        moments = (moments + reach.grid_ns // 2) // reach.grid_ns * reach.grid_ns
        # Of the last moment rows may still come.
        end = int(np.searchsorted(moments, moments[-1], side="left"))
        if end <= seen:
            continue
        yield ScoringBlock(held.slice(0, end), seen)
        kept = int(np.searchsorted(moments, moments[end] - reach.back_ns, side="left"))
        held, seen = held.slice(kept), end - kept
    if held is not None:
        yield ScoringBlock(held, seen)


def _ns(table: pa.Table, time: str) -> NDArray[np.int64]:
    column = table[time]
    zone = pa.timestamp("ns", tz=column.type.tz)
    moments: NDArray[np.int64] = to_numpy(column.cast(zone).cast(pa.int64()))
    return moments
