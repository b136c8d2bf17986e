"""Channels that look like a broken sensor rather than like another day.

Judged entity by entity: one turbine's dead anemometer is a quarter of the plant's rows, and
would drown in a test over all of them. What all entities show is weather or the plant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.channels import Channel, Values, channels, read
from pipeline.data.timeline import Mask
from pipeline.drift.comparison import Sample

_MOST_ROWS = 0.5  # of an entity's rows: the rule that found the shifted metrics of real servers
_FROZEN_ROWS = (
    0.9  # at one value, and twice as many as in the reference: a pitch angle rests half of the time
)
_NEVER_RESTS = 0.02  # of the reference at one value: such a channel is frozen sooner
_FROZEN_PART = 0.25
_ALONE = 2.0  # times the share of the other entities (median): on a hot day the first is not alone
_EDGES = (0.001, 0.999)
_PADDING = 0.02  # of the reference range: the edge of a sample is not the edge of the world
_SEASON = 1.0  # the same for weather and load: no season is so far away, another unit is
_FEWEST_ROWS = 10

_ABSENT, _FROZEN, _OUTSIDE = "absent", "frozen", "outside its reference range"


@dataclass(frozen=True)
class Usual:
    """A channel in the reference: its range, and how often it rests.

    Attributes:
        channel: its name.
        low: below it is outside; minus infinity for an angle, which has no outside.
        high: above it is outside.
        frozen: share of rows at one value that is more than rest.
        absent: share of rows without a value that is more than usual.
    """

    channel: Channel
    low: float
    high: float
    frozen: float
    absent: float


@dataclass(frozen=True)
class BrokenChannel:
    """A channel of one entity that left its reference range, stopped moving, or went missing.

    Attributes:
        channel: the raw measurement.
        entity: the machine; empty when there is one.
        sign: what is wrong.
        share: share of the entity's rows that show it.
        muted: the score leaves the channel out already.
    """

    channel: str
    entity: str
    sign: str
    share: float
    muted: bool = False


def usual_channels(reference: Sample, columns: Columns) -> tuple[Usual, ...]:
    """The channels in the reference."""
    return tuple(_usual(c, read(c, reference.features), columns) for c in channels(columns))


def broken_channels(
    usual: tuple[Usual, ...], current: Sample, columns: Columns
) -> tuple[BrokenChannel, ...]:
    """Channels out of range, frozen or absent in most rows of an entity, unlike elsewhere."""
    codes, counts = np.unique(current.timeline.entity, return_counts=True)
    rows_of = {
        current.timeline.names[code]: np.flatnonzero(current.timeline.entity == code)
        for code in codes[counts >= _FEWEST_ROWS]
    }
    return tuple(found for each in usual for found in _accused(each, current, rows_of, columns))


def _accused(
    usual: Usual, current: Sample, rows_of: dict[str, NDArray[np.intp]], columns: Columns
) -> Iterator[BrokenChannel]:
    channel = usual.channel
    values = read(channel, current.features)
    absent = np.isnan(values)
    outside = (values < usual.low) | (values > usual.high)
    muted = current.muted[:, channel.columns[0]] if current.muted is not None else None
    present_of = {name: rows[~absent[rows]] for name, rows in rows_of.items()}
    shares = {
        _ABSENT: {name: float(absent[rows].mean()) for name, rows in rows_of.items()},
        _OUTSIDE: {name: _share(outside[rows]) for name, rows in present_of.items()},
    }
    if not columns.features[channel.name].may_be_constant:
        shares[_FROZEN] = {name: _commonest(values[rows]) for name, rows in present_of.items()}
    limits = {_ABSENT: usual.absent, _FROZEN: usual.frozen, _OUTSIDE: _MOST_ROWS}
    for name, rows in rows_of.items():
        for sign in sorted(shares):
            if _differs_from_others(shares[sign], name, limits[sign]):
                yield BrokenChannel(
                    channel.name, name, sign, shares[sign][name], muted=_mostly(muted, rows)
                )
                break  # a channel frozen outside of its range is one fault


def _differs_from_others(shares: dict[str, float], name: str, limit: float) -> bool:
    others = [share for other, share in shares.items() if other != name]
    return shares[name] > limit and (not others or shares[name] > _ALONE * float(np.median(others)))


def _mostly(muted: Mask | None, rows: NDArray[np.intp]) -> bool:
    return muted is not None and float(muted[rows].mean()) > _MOST_ROWS


def _usual(channel: Channel, values: Values, columns: Columns) -> Usual:
    absent = max(_MOST_ROWS, 2 * _share(np.isnan(values)))
    values = values[~np.isnan(values)]
    rests = _commonest(values)
    frozen = max(_FROZEN_ROWS if rests > _NEVER_RESTS else _FROZEN_PART, 2 * rests)
    if channel.angle or not len(values):
        return Usual(channel, -np.inf, np.inf, frozen, absent)
    low, high = np.quantile(values, _EDGES)
    padding = (_SEASON if columns.features[channel.name].context else _PADDING) * (high - low)
    return Usual(channel, float(low - padding), float(high + padding), frozen, absent)


def _share(marked: Mask) -> float:
    """Share of the rows that are marked; 0 without rows."""
    return float(marked.mean()) if len(marked) else 0.0


def _commonest(values: NDArray[np.floating]) -> float:
    """Share of the rows that hold the most common value."""
    if not len(values):
        return 0.0
    ordered = np.sort(values)
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, np.True_))
    return float(np.diff(last, prepend=-1).max()) / len(values)
