"""A channel: one raw measurement, wherever the model's features hold it.

Features come in groups. An angle enters as sine and cosine; `power` comes with
`power_vs_peers`. To change or to blame a measurement means all of them:

- what is added to `power` is added to `power_vs_peers` too, because the deviation is own value
  minus the median of the others, and the others are left as they are;
- an angle is turned, and its sine and cosine are computed again;
- a channel that is stored without its offset is read and written with it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Columns

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """One raw measurement and where the model's features hold it.

    Attributes:
        name: as the detector file calls it.
        columns: feature positions; (sine, cosine) of an angle, else own value, then deviations.
        angle: whether it is an angle.
        judged: whether any of its features is; weather that is only context is not.
        offset: subtracted from its own feature before storage.
    """

    name: str
    columns: tuple[int, ...]
    angle: bool
    judged: bool
    offset: float = 0.0


def channels(columns: Columns) -> tuple[Channel, ...]:
    """The channels of a detector, with their places among its feature columns."""
    place = {name: position for position, name in enumerate(columns.feature_columns)}
    compared = {name for derived in columns.derived for name in derived.of}
    found = []
    for name, feature in columns.features.items():
        # A column of the source may be called `x_vs_peers` as well, and is its own channel.
        deviation = [f"{name}_vs_peers"] if name in compared else []
        held = [*columns.own_columns(name), *deviation]
        judged = any(column not in columns.context_columns for column in held)
        at = tuple(place[column] for column in held)
        found.append(Channel(name, at, feature.circular, judged, feature.offset))
    return tuple(found)


def read(channel: Channel, rows: NDArray[np.floating]) -> Values:
    """Raw values of a channel in feature rows of shape (..., d); angles in radians."""
    held = rows[..., channel.columns[0]].astype(np.float64)
    if channel.angle:
        angle: Values = np.arctan2(held, rows[..., channel.columns[1]])
        return angle
    return held + channel.offset if channel.offset else held


def write(channel: Channel, rows: NDArray[np.float32], values: Values) -> None:
    """Put raw `values` into `rows`, in place, with everything derived from the channel."""
    if channel.angle:
        rows[..., channel.columns[0]] = np.sin(values)
        rows[..., channel.columns[1]] = np.cos(values)
        return
    change = values - read(channel, rows)
    for column in channel.columns:
        rows[..., column] += change


def spread(channel: Channel, rows: NDArray[np.floating]) -> float:
    """Standard deviation of a channel; of an angle the circular one (Mardia, 1972), at most pi.

    Of the rows that have it; 0 where none has.
    """
    values = read(channel, rows)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0
    if not channel.angle:
        return float(values.std())
    length = float(np.hypot(np.sin(values).mean(), np.cos(values).mean()))
    return float(min(np.pi, np.sqrt(-2 * np.log(np.clip(length, 1e-12, 1.0)))))


def displacement(channel: Channel, before: Values, after: Values) -> Values:
    """The distance by which a fault moved each value; angles the short way round."""
    change = after - before
    if channel.angle:
        change = (change + np.pi) % (2 * np.pi) - np.pi
    return np.abs(change)


def channels_as_cell(names: Iterable[str]) -> str:
    """`flow,"speed, m/s"`; empty for none."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(list(names))
    return row.getvalue()


def channels_of_cell(cell: str) -> list[str]:
    """The names that `channels_as_cell` wrote."""
    return [name.strip() for row in csv.reader(io.StringIO(cell)) for name in row if name]
