"""The facts of a day: what its scored rows show, whatever is muted and whoever has decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.cases.measured import DayValues, Outside, between, farthest, moment_of, outside_of
from pipeline.cases.records import (
    EPISODE,
    REGIME,
    SHIFT,
    ChannelRange,
    DayFacts,
    MachineRows,
    Stretch,
    Track,
)
from pipeline.config.columns import GAP_CADENCES
from pipeline.data.timeline import Indices, Mask, Timeline
from pipeline.incidents.judging import FlaggedRows
from pipeline.utc_day import DAY_NS


@dataclass(frozen=True)
class CaseLimits:
    """What decides about cases, of a detector and its live version.

    Attributes:
        lasting: for so long raw values must be as before: the span of the rule of shifts.
        longest: rows that a cluster of normal rows above the threshold spans at most.
        join_rows: flags at most so many rows apart are one cluster.
        ranges: of the channels that can leave them.
    """

    lasting: timedelta
    longest: int
    join_rows: int
    ranges: tuple[ChannelRange, ...]


def day_facts(
    judged: FlaggedRows, timeline: Timeline, limits: CaseLimits, values: DayValues
) -> DayFacts:
    """The facts of one day, given its rows as they are and as the champion has scored them."""
    cadence = timedelta(microseconds=timeline.cadence_ns / 1000)
    asked = max(1, round(limits.lasting / cadence))
    join = (limits.join_rows + GAP_CADENCES) * cadence
    rows, scored = _counts(timeline, np.ones(len(timeline), dtype=bool)), np.isfinite(judged.score)
    held = _counts(timeline, scored)
    measured = between(values, timeline, limits.ranges)
    machines = tuple(
        MachineRows(name, int(rows[code]), int(held[code]), ends)
        for code, (name, ends) in enumerate(zip(timeline.names, measured, strict=True))
        if rows[code]
    )
    return DayFacts(
        asked=asked,
        longest=limits.longest,
        join=join,
        cadence=cadence,
        ranges=limits.ranges,
        machines=machines,
        tracks=(
            *_episodes(judged, timeline, scored, limits.longest, join),
            *_shifts(judged, timeline, asked, limits.ranges, values),
            *_regimes(judged, timeline, asked),
        ),
    )


@dataclass(frozen=True)
class _InOrder:
    """n rows by machine and time.

    Attributes:
        order: indices of the rows.
        entity: their machines.
        time: their times, in nanoseconds.
        before: the machine's rows before each that count.
        counts: whether each counts.
    """

    order: Indices
    entity: Indices
    time: NDArray[np.int64]
    before: NDArray[np.int64]
    counts: Mask


def _in_order(timeline: Timeline, counts: Mask) -> _InOrder:
    order = timeline.order
    entity, counted = timeline.entity[order], counts[order]
    total: Indices = np.cumsum(counted) - counted
    first = np.flatnonzero(np.diff(entity, prepend=-1))
    base: Indices = np.repeat(total[first], np.diff(first, append=len(order)))
    return _InOrder(order, entity, timeline.time_ns[order], total - base, counted)


def _counts(timeline: Timeline, mask: Mask) -> Indices:
    return np.bincount(timeline.entity[mask], minlength=len(timeline.names))


def _episodes(
    judged: FlaggedRows, timeline: Timeline, scored: Mask, longest: int, join: timedelta
) -> Iterator[Track]:
    """Clusters of flags that are longer than those of normal rows, or reach to the day's ends.

    A cluster at an end of the day may be longer than the day shows.
    """
    either = judged.flagged | judged.flagged_unmuted
    if not either.any():
        return
    rows = _in_order(timeline, scored)
    held = _counts(timeline, scored)
    unmuted = _clusters(either, rows, timeline, longest, join)
    others = either != judged.flagged
    differs = set(np.unique(timeline.entity[others]).tolist())
    flagged = _clusters(judged.flagged, rows, timeline, longest, join) if differs else {}
    for code, stretches in unmuted.items():
        as_scored = tuple(flagged.get(code, ())) if code in differs else None
        yield Track(EPISODE, timeline.names[code], "", int(held[code]), tuple(stretches), as_scored)


def _clusters(
    marked: Mask, rows: _InOrder, timeline: Timeline, longest: int, join: timedelta
) -> dict[int, list[Stretch]]:
    """The clusters that matter, by machine."""
    at = np.flatnonzero(marked[rows.order])
    if not len(at):
        return {}
    reach = round(join / timedelta(microseconds=1)) * 1000
    apart = np.diff(rows.time[at]) > reach
    first, last = _edges(at, apart | (np.diff(rows.entity[at]) != 0))
    size = np.diff([*np.flatnonzero(_firsts(at, rows, apart)), len(at)])
    span = np.rint((rows.time[last] - rows.time[first]) / timeline.cadence_ns) + 1
    into, left = rows.time[first] % DAY_NS, DAY_NS - rows.time[last] % DAY_NS
    kept = (span > longest) | (into <= reach) | (left <= reach)
    found: dict[int, list[Stretch]] = {}
    for place in np.flatnonzero(kept).tolist():
        found.setdefault(int(rows.entity[first[place]]), []).append(
            _stretch(rows, int(first[place]), int(last[place]), int(size[place]), opens=True)
        )
    return found


def _shifts(
    judged: FlaggedRows,
    timeline: Timeline,
    asked: int,
    ranges: tuple[ChannelRange, ...],
    values: DayValues,
) -> Iterator[Track]:
    """Channels out of their range, and channels that rows lack a value of."""
    raw, spans = judged.shifts.raw, {each.channel: each for each in ranges}
    opens = raw.staying & ~raw.common[:, None]
    rows = _counts(timeline, np.ones(len(timeline), dtype=bool))
    concerned = np.flatnonzero(raw.leaving.any(axis=0) | ~raw.measured.all(axis=0))
    for channel in concerned.tolist():
        held = _counts(timeline, raw.measured[:, channel])
        ordered = _in_order(timeline, raw.measured[:, channel])
        name = judged.shifts.channels[channel]
        leaving = raw.leaving[:, channel]
        # A channel whose rows only lack it need not be measured.
        out = outside_of(values, spans[name], asked) if leaving.any() and name in spans else None
        found = _returning(leaving, opens[:, channel], ordered, asked, out)
        for code in sorted(found.keys() | set(np.flatnonzero(held < rows).tolist())):
            named = tuple(replace(each, channels=(name,)) for each in found.get(code, ()))
            yield Track(SHIFT, timeline.names[code], name, int(held[code]), named)


def _regimes(judged: FlaggedRows, timeline: Timeline, asked: int) -> Iterator[Track]:
    """Rows in which more channels are out than may be without a regime."""
    raw = judged.shifts.raw
    many = raw.leaving.sum(axis=1) > raw.many
    if not many.any():
        return
    rows = _counts(timeline, np.ones(len(timeline), dtype=bool))
    ordered = _in_order(timeline, np.ones(len(timeline), dtype=bool))
    for code, stretches in _returning(many, raw.common & many, ordered, asked).items():
        own = (timeline.entity == code) & many
        out = raw.leaving[own].any(axis=0)
        names = tuple(judged.shifts.channels[place] for place in np.flatnonzero(out))
        named = tuple(replace(each, channels=names) for each in stretches)
        yield Track(REGIME, timeline.names[code], "", int(rows[code]), named)


def _returning(
    marked: Mask, opens: Mask, rows: _InOrder, asked: int, out: Outside | None = None
) -> dict[int, list[Stretch]]:
    """Marked rows by machine, joined where fewer than `asked` rows between them count as before."""
    at = np.flatnonzero(marked[rows.order])
    if not len(at):
        return {}
    between = rows.before[at[1:]] - rows.before[at[:-1]] - rows.counts[at[:-1]]
    apart = (between >= asked) | (np.diff(rows.entity[at]) != 0)
    first, last = _edges(at, apart)
    starts = np.concatenate([[0], np.flatnonzero(apart) + 1])
    size = np.diff([*starts, len(at)])
    reason = np.add.reduceat(opens[rows.order][at].astype(np.int64), starts) > 0
    found: dict[int, list[Stretch]] = {}
    for place, begins in enumerate(starts.tolist()):
        made = _stretch(
            rows, int(first[place]), int(last[place]), int(size[place]), opens=bool(reason[place])
        )
        if out is not None:
            own = at[begins : begins + made.rows]
            made = replace(made, farthest=farthest(out, rows.order[own], rows.time[own]))
        found.setdefault(int(rows.entity[first[place]]), []).append(made)
    return found


def _edges(at: Indices, apart: Mask) -> tuple[Indices, Indices]:
    """First and last place of each group of `at`, which end where the next one is `apart`."""
    breaks = np.flatnonzero(apart)
    return at[np.concatenate([[0], breaks + 1])], at[np.concatenate([breaks, [len(at) - 1]])]


def _firsts(at: Indices, rows: _InOrder, apart: Mask) -> Mask:
    return np.concatenate([[True], apart | (np.diff(rows.entity[at]) != 0)])


def _stretch(rows: _InOrder, first: int, last: int, size: int, *, opens: bool) -> Stretch:
    return Stretch(
        start=moment_of(rows.time[first]),
        end=moment_of(rows.time[last]),
        rows=size,
        before=int(rows.before[first]),
        after=int(rows.before[last]) + int(rows.counts[last]),
        opens=opens,
    )
