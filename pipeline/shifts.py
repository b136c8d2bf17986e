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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
from pipeline.utc_day import ONE_DAY

_CODES = {"accept": 1, "mute": 2, "unmute": 3}  # 0: nobody has decided anything

FEWEST_ROWS = 6
"""Fewest rows of a share: one odd row out of two is no shift."""

OF_LASTING = 1 / 3  # five hours: longer than a nightly job, yet recognised the same day
_FEWEST_IN_REGIME = 3  # two sensors of a small machine can break on one day


@dataclass(frozen=True)
class OutOfRange:
    """What n rows of c channels measure, whatever is muted and whatever people decided.

    Attributes:
        measured: shape (n, c); the row has a value of the channel.
        leaving: shape (n, c); out of its range in most rows of the last hour.
        staying: shape (n, c); leaving, and so for a third of the last sixteen hours.
        common: shape (n,); more than `many` channels stay out: a new regime.
        many: the largest number of channels that may be out at once without being a regime.
    """

    measured: NDArray[np.bool_]
    leaving: NDArray[np.bool_]
    staying: NDArray[np.bool_]
    common: NDArray[np.bool_]
    many: float


@dataclass(frozen=True)
class Shifted:
    """n rows and c channels, both in the order they were given in.

    Attributes:
        channels: their names.
        columns: feature positions of each of them.
        muted: shape (n, c); left out of the row's score.
        moved: shape (n, c); out of range, and so for hours: reported by name. Never in a new
            regime, and never what a person has accepted or muted.
        regime: shape (n,); so many channels have moved at once that only retraining helps.
        raw: what the rows measure, whatever anybody decided.
    """

    channels: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    muted: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    regime: NDArray[np.bool_]
    raw: OutOfRange


def rows_of(shifted: Shifted, kept: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Shifted:
    """The same for some of the rows."""
    return replace(
        shifted,
        muted=shifted.muted[kept],
        moved=shifted.moved[kept],
        regime=shifted.regime[kept],
        raw=replace(
            shifted.raw,
            measured=shifted.raw.measured[kept],
            leaving=shifted.raw.leaving[kept],
            staying=shifted.raw.staying[kept],
            common=shifted.raw.common[kept],
        ),
    )


def left_out(shifted: Shifted, features: int) -> NDArray[np.bool_]:
    """Which of the model's features no row's score may use, shape (n, features).

    With a channel all that is derived from it is left out: deviation from peers, sine and cosine.
    """
    mask = np.zeros((len(shifted.muted), features), dtype=bool)
    for channel in np.flatnonzero(shifted.muted.any(axis=0)):
        mask[:, list(shifted.columns[channel])] = shifted.muted[:, [channel]]
    return mask


@dataclass(frozen=True)
class Decided:
    """The decision in force, shape (n, c) each; at most one of them is true.

    Attributes:
        accept: what the channel measures is normal: never muted, never reported.
        mute: left out of the score whatever it measures, and not reported again unless it doubles.
        unmute: never muted by itself; still reported when it leaves its range.
    """

    accept: NDArray[np.bool_]
    mute: NDArray[np.bool_]
    unmute: NDArray[np.bool_]


def decided(
    timeline: Timeline, names: Sequence[str], decisions: Sequence[ChannelDecision]
) -> Decided:
    """The decision in force at each row for each of the channels `names`.

    A decision is in force from its `since` on, for its entity or for all of them. Of several the
    one made last counts: it corrects the others. Decisions about channels that the detector does
    not have are ignored.
    """
    latest = np.zeros((len(timeline), len(names)), dtype=np.int8)
    for decision in sorted(decisions, key=lambda one: (one.created_at, one.since)):
        if decision.channel not in names:
            continue
        since = pd.Timestamp(decision.since).tz_convert("UTC").as_unit("ns")
        about = timeline.time_ns >= since.value
        if decision.entity is not None:
            ours = (
                timeline.names.index(decision.entity) if decision.entity in timeline.names else -1
            )
            about &= timeline.entity == ours
        latest[about, names.index(decision.channel)] = _CODES[decision.decision]
    return Decided(*(latest == _CODES[kind] for kind in ("accept", "mute", "unmute")))


def lately(
    marked: NDArray[np.bool_], timeline: Timeline, span_ns: int, share: float
) -> NDArray[np.bool_]:
    """Where so many of an entity's rows in (t - span, t] are marked; shape of `marked`, (n, c).

    So many: more than `share` of the rows that the span should hold, so that a few rows after a
    gap do not count for all of it. Rows may come in any order. Counts are whole numbers: the
    result does not depend on rows before the span or after t, not even by rounding.
    """
    found = np.zeros(marked.shape, dtype=bool)
    limit = share * max(FEWEST_ROWS, span_ns / timeline.cadence_ns)
    for code, busy in _busy(marked, timeline, limit):
        own = np.flatnonzero(timeline.entity == code)
        own = own[np.argsort(timeline.time_ns[own], kind="stable")]
        time = timeline.time_ns[own]
        # Rows of one moment see each other, so that their order cannot matter.
        first, last = (np.searchsorted(time, at, side="right") for at in (time - span_ns, time))
        total = np.zeros((len(own) + 1, len(busy)), dtype=np.int64)
        np.cumsum(marked[np.ix_(own, busy)], axis=0, out=total[1:])
        found[np.ix_(own, busy)] = total[last] - total[first] > limit
    return found


def _busy(
    marked: NDArray[np.bool_], timeline: Timeline, limit: float
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Entities, each with its columns that have more than `limit` marked rows in all.

    Only these can have so many in a span; on an ordinary day there are none.
    """
    if not marked.any():
        return
    row, column = np.nonzero(marked)
    width = marked.shape[1]
    counts = np.bincount(
        timeline.entity[row] * width + column, minlength=len(timeline.names) * width
    )
    held = counts.reshape(-1, width) > limit
    for code in np.flatnonzero(held.any(axis=1)):
        yield int(code), np.flatnonzero(held[code])


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
    brief, lasting = spans(limits, columns.cadence)
    movable = np.array([can_shift(channel, columns) for channel in known])
    out = _out(values, known, bundle.ranges(), limits.padding)
    leaves = lately(out & movable, timeline, _ns(brief), limits.share)
    lasts = lately(leaves, timeline, _ns(lasting), OF_LASTING)
    reported = lasts & ~says.accept & ~says.mute
    many = float(max(limits.regime_share * movable.sum(), _FEWEST_IN_REGIME - 1))
    regime = reported.sum(axis=1) > many
    return Shifted(
        channels=names,
        columns=tuple(channel.columns for channel in known),
        muted=(leaves & ~says.accept & ~says.unmute) | says.mute,
        moved=leaves & reported & ~regime[:, None],
        regime=regime,
        raw=OutOfRange(
            measured=np.isfinite(values[:, [channel.columns[0] for channel in known]]),
            leaving=leaves,
            staying=leaves & lasts,
            common=lasts.sum(axis=1) > many,
            many=many,
        ),
    )


def lookback(limits: Shifts, schema: Schema) -> timedelta:
    """The span before a row whose rows decide about it; at most a day."""
    return sum(spans(limits, timedelta(seconds=schema.cadence_s or 0)), timedelta(0))


def spans(limits: Shifts, cadence: timedelta) -> tuple[timedelta, timedelta]:
    """The brief span, long enough for six rows where the day has room for them, and the long one.

    Where it has not even room for four, nothing is ever muted.
    """
    brief = min(max(limits.trailing, FEWEST_ROWS * cadence), ONE_DAY - limits.lasting)
    return brief, limits.lasting


def _ns(span: timedelta) -> int:
    return pd.Timedelta(span).value


def can_shift(channel: Channel, columns: Columns) -> bool:
    """Whether the channel is scored itself and its values have a range that they can leave."""
    feature = columns.features[channel.name]
    return not (channel.angle or feature.context or feature.may_be_constant)


def _out(rows: Rows, known: Sequence[Channel], ranges: Ranges, padding: float) -> NDArray[np.bool_]:
    """Where a channel's own value is outside its padded range, shape (n, channels)."""
    own = [channel.columns[0] for channel in known]
    lowest, highest = np.array(ranges.lowest)[own], np.array(ranges.highest)[own]
    values = rows if own == list(range(rows.shape[1])) else rows[:, own]
    return outside(values, lowest, highest, padding)


def outside(
    values: Rows, lowest: NDArray[np.float64], highest: NDArray[np.float64], padding: float
) -> NDArray[np.bool_]:
    """Which values, shape (n, c), lie outside their ranges, widened by `padding` of themselves."""
    more = padding * (highest - lowest)
    # A comparison with the float32 next to each end has the same result, without a conversion.
    least, most = _at_least(lowest - more), -_at_least(-(highest + more))
    out: NDArray[np.bool_] = (values < least) | (values > most)
    return out


def _at_least(ends: NDArray[np.float64]) -> NDArray[np.float32]:
    """The smallest float32 that is not below each of `ends`."""
    with np.errstate(over="ignore"):  # beyond float32 no value is outside
        near = ends.astype(np.float32)
        above = np.nextafter(near, np.float32(np.inf))
    return np.where(near.astype(np.float64) < ends, above, near)
