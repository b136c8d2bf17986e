"""Channels that have never moved: no fault, unlike one that stands still after it has moved. Pure.

Some metrics of a server never change in years. A day alone does not show whether such a channel is
at rest or broken, so each day on record says which channels have not moved up to its end, and the
next one goes on from there. On the first day of all nothing has moved yet. A machine or a channel
that comes later counts as one that has moved: nobody knows better. Days that are loaded before
those before them know nothing of these, so that a channel at rest then counts as never moved.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.faults import Mask

_NAMED = 5


@dataclass(frozen=True)
class Resting:
    """A channel of a machine that has had one value since its first day.

    Attributes:
        channel: which one.
        entity: the machine; empty where there is one.
        value: that it has.
    """

    channel: str
    entity: str
    value: float


Before = Collection[Resting] | None
"""The channels that have not moved before a day; None: no day before it is on record."""


@dataclass(frozen=True)
class MeasuredRows:
    """n rows with a trustworthy key.

    Attributes:
        numbers: float64 features.
        machine: code of the machine of each row.
        day: number of its day.
        names: of the machines, by code.
    """

    numbers: pd.DataFrame
    machine: NDArray[np.intp]
    day: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class NeverMoved:
    """The channels that have not moved by the end of a day.

    Attributes:
        before: those before the first day.
        days: numbers of the days with rows, ascending.
        still: by channel and machine: the value, and the number of the last day that it had it.
    """

    before: Before = None
    days: tuple[int, ...] = ()
    still: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def after(self, day: int) -> tuple[Resting, ...] | None:
        """The record of a day; None: no day up to it is on record."""
        if not self.days or day < self.days[0]:
            return None if self.before is None else tuple(self.before)
        return tuple(
            Resting(channel, entity, value)
            for (channel, entity), (value, last) in self.still.items()
            if day <= last
        )

    def rows_of(
        self, channel: str, machine: NDArray[np.intp], day: NDArray[np.int64], names: Sequence[str]
    ) -> Mask:
        """The rows of days by whose end `channel` has not moved, shape (n,).

        `machine` holds codes of `names`; -1 is no machine.
        """
        ends = [self.still.get((channel, name), (0.0, -1))[1] for name in names]
        at_rest: Mask = day <= np.array([*ends, -1])[machine]
        return at_rest


def never_moved(rows: MeasuredRows, columns: Columns, before: Before) -> NeverMoved:
    """Which channels have not moved, by the end of each day of `rows`.

    A day without a value of a channel changes nothing. What may be constant is left out: it is
    never asked.
    """
    days = tuple(int(day) for day in np.unique(rows.day))
    if not days:
        return NeverMoved(before)
    known = {(each.channel, each.entity): each.value for each in before or ()}
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for name, feature in columns.features.items():
        asked = before is None or any(channel == name for channel, _ in known)
        if feature.may_be_constant or not asked:
            continue
        values = rows.numbers[name].to_numpy()
        group = pd.Series(np.where(np.isfinite(values), values, np.nan)).groupby(
            [rows.machine, rows.day]
        )
        ends = pd.DataFrame({"low": group.min(), "high": group.max()}).dropna()
        for code, own in ends.groupby(level=0):
            key = (name, rows.names[int(str(code))])
            at = own.index.get_level_values(1).to_numpy()
            start = known.get(key, own["low"].iloc[0])
            if key not in known and not (before is None and at[0] == days[0]):
                continue
            moved = np.flatnonzero((own["low"] != start) | (own["high"] != start))
            last = days[-1] if not len(moved) else _before(days, int(at[moved[0]]))
            found[key] = (float(start), last)
    silent = {key: (value, days[-1]) for key, value in known.items() if key not in found}
    return NeverMoved(before, days, found | silent)


def _before(days: Sequence[int], day: int) -> int:
    """The last of `days` before `day`; -1 where there is none."""
    return max((each for each in days if each < day), default=-1)


def resting_text(resting: Sequence[Resting]) -> str:
    """`fan of a, fan of b and 3 more`."""
    named = [f"{each.channel}{f' of {each.entity}' if each.entity else ''}" for each in resting]
    rest = len(named) - _NAMED
    return ", ".join(named[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
