"""The timeline: the time and entity of each row, and the correlation of neighbouring rows.

Machine data come in slow waves: a row is much like the row before it. Whoever counts such rows as
independent finds drift where there is none and believes a threshold too much. What rows are worth
for a share of them says `effective_rows`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.config.columns import GAP_CADENCES
from pipeline.data.raw_values import names_of
from pipeline.utc_day import DAY_NS

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

FEWEST_PAIRS = 30
"""Of fewer pairs of rows a correlation is a guess; rows so far apart count as independent."""

HIGHEST = 0.999
"""A correlation of 1 would leave no row at all."""


@dataclass(frozen=True)
class Timeline:
    """The times and entities of n rows; rows may come in any order.

    Attributes:
        time_ns: UTC nanoseconds since 1970, shape (n,).
        entity: index into `names`, shape (n,).
        names: the entities; one empty name when there is only one machine.
        cadence_ns: expected time between two rows of one entity.
    """

    time_ns: NDArray[np.int64]
    entity: Indices
    names: tuple[str, ...]
    cadence_ns: int

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def days(self) -> int:
        """Distinct UTC days on which there are rows."""
        return len(np.unique(self.time_ns // DAY_NS))

    @cached_property
    def order(self) -> Indices:
        """Row indices by entity and time; sorted once, however many series are measured on it."""
        return np.lexsort((self.time_ns, self.entity))

    @cached_property
    def neighbours(self) -> tuple[Indices, Indices]:
        """The rows that another row follows one cadence later, and those that follow them."""
        order, run = runs(self)
        together = np.flatnonzero(np.diff(run) == 0)
        return order[together], order[together + 1]

    @cached_property
    def moment(self) -> Indices:
        """The number of each row's time among the distinct times, in order."""
        return np.unique(self.time_ns, return_inverse=True)[1].astype(np.intp, copy=False)


@dataclass(frozen=True)
class Episode:
    """Rows of one entity that belong together, in time order."""

    entity: str
    start: pd.Timestamp
    end: pd.Timestamp
    rows: Indices


def timeline_from(frame: pd.DataFrame, columns: Columns) -> Timeline:
    """The timeline of `frame`, by its timestamp and entity columns."""
    held = frame[columns.timestamp]
    if not isinstance(held.dtype, pd.DatetimeTZDtype):
        held = pd.to_datetime(held, utc=True)
    time = pd.DatetimeIndex(held).as_unit("ns")
    entity, names = machines(frame, columns.entity)
    return Timeline(time.asi8, entity, names, int(pd.Timedelta(columns.cadence).value))


def machines(frame: pd.DataFrame, column: str | None) -> tuple[Indices, tuple[str, ...]]:
    """The entity of each row as an index into the names, which come in order.

    One empty name where there is no `column`.
    """
    if column is None:
        return np.zeros(len(frame), dtype=np.intp), ("",) if len(frame) else ()
    held = frame[column]
    if isinstance(held.dtype, pd.CategoricalDtype) and held.dtype.categories.dtype == object:
        names, codes = [str(name) for name in held.dtype.categories], held.cat.codes.to_numpy()
        used = np.bincount(codes.astype(np.intp) + 1, minlength=len(names) + 1)
        if names == sorted(names) and used[1:].all() and not used[0]:
            return codes.astype(np.intp), tuple(names)
    kind = pd.Categorical(names_of(held, column).fillna(""))
    return kind.codes.astype(np.intp), tuple(str(name) for name in kind.categories)


def subset(timeline: Timeline, kept: Mask | Indices) -> Timeline:
    """The timeline of the kept rows."""
    return Timeline(
        timeline.time_ns[kept], timeline.entity[kept], timeline.names, timeline.cadence_ns
    )


def runs(timeline: Timeline, *, join_rows: int = 0) -> tuple[Indices, Indices]:
    """Row indices in order of entity and time, and the number of the unbroken run of each.

    A run ends where the entity changes or where more than `join_rows` rows are absent.
    """
    order = timeline.order
    reach = (join_rows + GAP_CADENCES) * timeline.cadence_ns
    breaks = (np.diff(timeline.time_ns[order]) > reach) | (np.diff(timeline.entity[order]) != 0)
    return order, np.concatenate([[0], np.cumsum(breaks)])[: len(order)].astype(np.intp)


def episodes(marked: Mask, timeline: Timeline, *, join_rows: int = 0) -> Iterator[Episode]:
    """The marked rows as episodes; marked rows at most `join_rows` absent rows apart are joined."""
    rows = np.flatnonzero(marked)
    if not len(rows):
        return
    order, run = runs(subset(timeline, rows), join_rows=join_rows)
    for members in np.split(rows[order], np.flatnonzero(np.diff(run)) + 1):
        yield Episode(
            entity=timeline.names[timeline.entity[members[0]]],
            start=pd.Timestamp(timeline.time_ns[members[0]], tz="UTC"),
            end=pd.Timestamp(timeline.time_ns[members[-1]], tz="UTC"),
            rows=members,
        )


class Span(Protocol):
    """A stretch of time of one machine, or of all."""

    @property
    def start(self) -> datetime:
        """First moment."""

    @property
    def end(self) -> datetime:
        """Last moment, included."""

    @property
    def entity(self) -> str | None:
        """The machine; None: all of them."""


def rows_within(timeline: Timeline, spans: Iterable[Span]) -> Iterator[Indices]:
    """For each span the indices of the rows in it, in order of time."""
    order = np.argsort(timeline.time_ns, kind="stable")
    time_ns = timeline.time_ns[order]
    number = {name: position for position, name in enumerate(timeline.names)}
    for span in spans:
        begin = np.searchsorted(time_ns, pd.Timestamp(span.start).value, "left")
        end = np.searchsorted(time_ns, pd.Timestamp(span.end).value, "right")
        rows = order[begin:end]
        if span.entity is not None:
            rows = rows[timeline.entity[rows] == number.get(span.entity, -1)]
        yield rows


def autocorrelation(values: NDArray[np.floating], timeline: Timeline) -> float:
    """Correlation of a row with the next row of the same run, in [0, 0.999].

    0 when it is not significant: fewer than 30 such pairs (rows already thinned), constant
    values, or less than two standard errors. Otherwise noise alone would cost half of the rows.
    """
    earlier, later = timeline.neighbours
    if len(earlier) < FEWEST_PAIRS:
        return 0.0
    rho = correlation(values, earlier, later)
    return 0.0 if rho < 2 / math.sqrt(len(earlier)) else min(rho, HIGHEST)


def correlation(values: NDArray[np.floating], earlier: Indices, later: Indices) -> float:
    """Correlation of the values of pairs of rows, in [-1, 1]; 0 where one side is constant."""
    former = values[earlier].astype(np.float64, copy=False)
    latter = values[later].astype(np.float64, copy=False)
    former -= former.mean()
    latter -= latter.mean()
    spread = math.sqrt(float(former @ former) * float(latter @ latter))
    return float(former @ latter) / spread if spread else 0.0


def between_entities(values: NDArray[np.floating], timeline: Timeline) -> float:
    """Correlation of the values of two entities at one time, in [0, 1]: weather, load, season.

    0 when fewer than 30 pairs of rows share a time or the values are constant.
    """
    moment = timeline.moment
    size = np.bincount(moment)
    pairs = float((size * (size - 1)).sum())
    spread = float(values.std()) if len(values) else 0.0
    if pairs < 2 * FEWEST_PAIRS or spread == 0:
        return 0.0
    z = (values.astype(np.float64) - values.mean()) / spread
    total, squares = np.bincount(moment, weights=z), np.bincount(moment, weights=z * z)
    return float(np.clip((total**2 - squares).sum() / pairs, 0.0, 1.0))


def thinning_step(rho: float) -> int:
    """Keep one row in this many, and what is left is nearly independent."""
    return math.ceil((1 + rho) / (1 - rho) - 1e-9)


def spaced(timeline: Timeline, step: int) -> Indices:
    """The first row of each entity in every span of `step` cadences.

    Works by time and not by count, so rows that were thinned before are not thinned twice.
    """
    if step == 1:
        return np.arange(len(timeline), dtype=np.intp)
    order = timeline.order
    span = timeline.time_ns[order] // (step * timeline.cadence_ns)
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(span) != 0) | (np.diff(timeline.entity[order]) != 0)
    return np.sort(order[fresh])
