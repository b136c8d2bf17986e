"""What the channels of a day measured, whatever was in range for which version. Pure.

In the channels' own units, so that values can be held against the ranges of another version. Both
measures are such that what lasts less than hours or minutes does not move them: how far a channel
was out for five hours, and between which values all but a hundredth at each end lay. That is less
than half an hour of a day, after which a channel counts as out of its range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.cases.records import ChannelRange, Departure
from pipeline.data.channels import Channel, channels, read
from pipeline.data.timeline import Indices, Timeline
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.inputs.scored import Rows
from pipeline.incidents.judging import fitted_columns
from pipeline.shifts import OF_LASTING

_SPARED = 100  # of so many values the lowest and the highest one are left out
_DIGITS = 4
_DIGITS_OF_A_FEATURE = 7  # what a float32 holds


@dataclass(frozen=True)
class DayValues:
    """The feature rows of a day, shape (n, d), and where they hold which channel."""

    features: Rows
    channels: tuple[Channel, ...]

    def named(self, name: str) -> Channel:
        """The channel of that name."""
        return next(each for each in self.channels if each.name == name)


def day_values(bundle: Bundle, frame: pd.DataFrame) -> DayValues:
    """The rows of a day as a bundle reads them.

    Raises:
        DataError: a feature is absent or not finite.
    """
    return DayValues(
        feature_values(frame, bundle.schema, partial=True), channels(fitted_columns(bundle))
    )


@dataclass(frozen=True)
class Outside:
    """One channel of n rows.

    Attributes:
        value: what it measured, in its own units, shape (n,).
        beyond: how far outside its range that is, in the same units; 0 inside and without a value.
        hours: so many rows make a shift.
    """

    value: NDArray[np.float64]
    beyond: NDArray[np.float64]
    hours: int


def outside_of(values: DayValues, span: ChannelRange, asked: int) -> Outside:
    """The channel of `span`, where `asked` rows as before make the data return."""
    value = read(values.named(span.channel), values.features)
    beyond = np.fmax(np.fmax(span.low - value, value - span.high), 0.0)
    return Outside(value, beyond, max(1, round(asked * OF_LASTING)))


def farthest(out: Outside, rows: Indices, time_ns: NDArray[np.int64]) -> Departure | None:
    """How far out a channel was in as many of `rows` as make a shift, or in half if these are few.

    Args:
        out: the channel.
        rows: those of one stretch, oldest first.
        time_ns: their times.

    Returns:
        The first row that was so far out; its value has four digits of its distance. None: most
        rows were inside.
    """
    beyond = out.beyond[rows]
    wanted = min(out.hours, math.ceil(len(rows) / 2))
    reached = float(np.partition(beyond, -wanted)[-wanted])
    if not reached > 0:
        return None
    value = float(out.value[rows[int(np.argmax(beyond == reached))]])
    at = moment_of(time_ns[int(np.argmax(beyond >= reached))])
    return Departure(at, _rounded(value, reached))


def between(
    values: DayValues, timeline: Timeline, ranges: Sequence[ChannelRange]
) -> Iterator[tuple[float | None, ...]]:
    """For each machine what `MachineRows.between` holds.

    With four digits of the width between the two values: a plant of 100 machines with 50 channels
    writes some 70 kB a day.
    """
    held = [values.named(each.channel) for each in ranges]
    columns = [channel.columns[0] for channel in held]
    order = timeline.order
    ends = np.searchsorted(timeline.entity[order], np.arange(len(timeline.names) + 1))
    for first, last in pairwise(ends.tolist()):
        found: list[float | None] = []
        # Sorted as stored, without the offset, as that is faster; a missing value is behind all.
        block = np.sort(values.features[order[first:last]][:, columns].T, axis=1)
        for channel, column, count in zip(
            held, block, np.isfinite(block).sum(axis=1).tolist(), strict=True
        ):
            if not count:
                found += [None, None]
                continue
            spared = count // _SPARED
            low, high = float(column[spared]), float(column[count - 1 - spared])
            step = high - low or abs(low) * 10.0 ** (_DIGITS - _DIGITS_OF_A_FEATURE)
            found += [_rounded(end + channel.offset, step) for end in (low, high)]
        yield tuple(found)


def moment_of(time_ns: np.int64) -> datetime:
    """That time in UTC, to the microsecond."""
    moment: datetime = pd.Timestamp(time_ns, tz="UTC").floor("us").to_pydatetime()
    return moment


def _rounded(value: float, step: float) -> float:
    """`value`, to four digits of `step`."""
    if not step > 0:
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(step)))
