"""Channels that look like a broken sensor rather than like another day.

Judged entity by entity: one turbine's dead anemometer is a quarter of the plant's rows, and
would drown in a test over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.channels import Values, channels, read
from pipeline.drift.comparison import Sample

_MOST_ROWS = 0.5  # of an entity's rows: the rule that found the shifted metrics of real servers
_FROZEN_ROWS = 0.9  # at one value, and twice as many as ever: a pitch angle rests half of the time
_EDGES = (0.001, 0.999)
_PADDING = 0.02  # of the reference range: the edge of a sample is not the edge of the world
_FEWEST_ROWS = 10


@dataclass(frozen=True)
class BrokenChannel:
    """A channel of one entity that left its reference range, or stopped moving.

    Attributes:
        channel: the raw measurement.
        entity: where; empty when there is one machine.
        sign: what is wrong.
        share: of the entity's rows that show it.
    """

    channel: str
    entity: str
    sign: str
    share: float


def broken_channels(
    reference: Sample, current: Sample, columns: Columns
) -> tuple[BrokenChannel, ...]:
    """Channels that are out of range or frozen in most rows of an entity, but not of every one.

    What all of several entities show alike is weather or the plant, not a sensor.
    """
    found: list[BrokenChannel] = []
    present = [
        code
        for code in np.unique(current.line.entity)
        if (current.line.entity == code).sum() >= _FEWEST_ROWS
    ]
    for channel in channels(columns):
        before = read(channel, reference.features)
        after = read(channel, current.features)
        signs = [
            BrokenChannel(channel.name, current.line.names[code], *sign)
            for code in present
            if (sign := _sign(before, after[current.line.entity == code], angle=channel.angle))
        ]
        if len(present) == 1 or len(signs) < len(present):
            found += signs
    return tuple(found)


def _sign(before: Values, after: Values, *, angle: bool) -> tuple[str, float] | None:
    frozen = _commonest(after)
    if frozen > max(_FROZEN_ROWS, 2 * _commonest(before)):
        return "frozen", frozen
    if angle:
        return None  # a full circle has no outside
    low, high = np.quantile(before, _EDGES)
    padding = _PADDING * (high - low)
    outside = float(((after < low - padding) | (after > high + padding)).mean())
    return ("outside its reference range", outside) if outside > _MOST_ROWS else None


def _commonest(values: NDArray[np.floating]) -> float:
    """Share of the rows that hold the most common value."""
    return float(np.unique(values, return_counts=True)[1].max()) / len(values)
