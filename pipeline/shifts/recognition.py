"""Channels that have left the range of their training: recognised within the hour, and forgotten.

On real servers one metric that moves for good turns 1 % alerts into 88 %, and incidents
no longer differ from normal rows. So, entity by entity:

- a channel is **out** in a row where its value lies outside the range of its training rows
  (0.1 to 99.9 %), widened by `padding` of itself at both ends;
- it is **muted** where it was out in most rows of the last hour (`trailing`, `share`): left out of
  the score, while the others are judged on. Once it no longer was, it is back;
- it has **moved** where it is muted and was so for a third of the last sixteen hours (`lasting`):
  it is reported by name. Incidents and nightly jobs are over by then;
- where so much holds for more than `regime_share` of the channels (and at least three), it is the
  plant and not a sensor: a new **regime**. No channel is named then; what helps is a new training.
  Until then they stay muted, as otherwise the score would say nothing.

A row's answer depends on the rows of its entity within `lookback`, seventeen hours, and on what
people decided: there is no other state, so days can be scored in any order. Angles cannot leave a
circle. Context is not judged: a hot summer is no fault. Nor is a setpoint or actuator, which may be
constant: it stays where somebody put it, and a turbine parked for the first time would otherwise
be muted through its outage. A deviation from peers is muted with its
channel but does not mute it: a turbine that has stopped deviates, and that is an incident.
Method: our own trial on the Server Machine Dataset (Su et al., KDD 2019), to be repeated with
`python -m benchmarks.operation shift`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, Shifts
from pipeline.data.channels import Channel, channels
from pipeline.data.decision import ChannelDecision
from pipeline.data.timeline import Timeline
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.scaling import Ranges
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.shifts.deciding import decided
from pipeline.shifts.records import Shifted
from pipeline.shifts.trailing import FEWEST_ROWS, lately
from pipeline.utc_day import ONE_DAY

_OF_LASTING = 1 / 3  # five hours: longer than a nightly job, yet recognised the same day
_FEWEST_IN_REGIME = 3  # two sensors of a small machine can break on one day


def shifted_rows(
    values: Rows,
    timeline: Timeline,
    bundle: Bundle,
    columns: Columns,
    limits: Shifts,
    decisions: Sequence[ChannelDecision] = (),
) -> Shifted:
    """The module's rule applied to feature rows of shape (n, d), in any order.

    Rows whose `lookback` reaches before the first are judged by the rows that are there.
    """
    known = channels(columns)
    names = tuple(channel.name for channel in known)
    says = decided(timeline, names, decisions)
    brief, lasting = _spans(limits, columns.cadence)
    movable = np.array([_movable(channel, columns) for channel in known])
    out = _out(values, known, bundle.ranges(), limits.padding)
    leaves = lately(out & movable, timeline, _ns(brief), limits.share)
    reported = lately(leaves, timeline, _ns(lasting), _OF_LASTING) & ~says.accept & ~says.mute
    many = max(limits.regime_share * movable.sum(), _FEWEST_IN_REGIME - 1)
    regime = reported.sum(axis=1) > many
    return Shifted(
        channels=names,
        columns=tuple(channel.columns for channel in known),
        muted=(leaves & ~says.accept & ~says.unmute) | says.mute,
        moved=leaves & reported & ~regime[:, None],
        regime=regime,
    )


def lookback(limits: Shifts, schema: Schema) -> timedelta:
    """The span before a row whose rows decide about it; at most a day."""
    return sum(_spans(limits, timedelta(seconds=schema.cadence_s or 0)), timedelta(0))


def _spans(limits: Shifts, cadence: timedelta) -> tuple[timedelta, timedelta]:
    """The brief span, long enough for six rows where the day has room for them, and the long one.

    Where it has not even room for four, nothing is ever muted.
    """
    brief = min(max(limits.trailing, FEWEST_ROWS * cadence), ONE_DAY - limits.lasting)
    return brief, limits.lasting


def _ns(span: timedelta) -> int:
    return pd.Timedelta(span).value


def _movable(channel: Channel, columns: Columns) -> bool:
    """Whether the channel is scored itself and its values have a range that they can leave."""
    feature = columns.features[channel.name]
    return not (channel.angle or feature.context or feature.may_be_constant)


def _out(rows: Rows, known: Sequence[Channel], ranges: Ranges, padding: float) -> NDArray[np.bool_]:
    """Where a channel's own value is outside its padded range, shape (n, channels)."""
    own = [channel.columns[0] for channel in known]
    lowest, highest = np.array(ranges.lowest)[own], np.array(ranges.highest)[own]
    more = padding * (highest - lowest)
    # A comparison with the float32 next to each end has the same result, without a conversion.
    least, most = _at_least(lowest - more), -_at_least(-(highest + more))
    values = rows if own == list(range(rows.shape[1])) else rows[:, own]
    out: NDArray[np.bool_] = (values < least) | (values > most)
    return out


def _at_least(ends: NDArray[np.float64]) -> NDArray[np.float32]:
    """The smallest float32 that is not below each of `ends`."""
    with np.errstate(over="ignore"):  # beyond float32 no value is outside
        near = ends.astype(np.float32)
        above = np.nextafter(near, np.float32(np.inf))
    return np.where(near.astype(np.float64) < ends, above, near)
