"""Does the share of flagged rows still agree with what the threshold promises? Pure.

The share of spans of half a day to a week is compared with the band of `agreeing_rates`: with how
many rows may be flagged, if the threshold keeps its promise, of rows that are worth so many
independent ones. A row is worth what a calibration row is. Flags of real faults are no evidence
about a threshold, so part of the rows is left out, flagged or not:

- of each machine its longest unbroken episode, six hours of it at most;
- of three machines or more the most flagged tenth, at least one: what only few machines have is
  their own fault. Cases tell of both.

So one lasting fault of one machine of several never counts. That of a single machine counts once it
is longer than most faults are: from then on flags alone cannot tell which of the two it is.

Spans and limits were chosen on made scores with seeds 0 to 11, and are reported on others
(`benchmarks.lasting.broken_threshold`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.config.columns import GAP_CADENCES
from pipeline.data.timeline import Indices, Mask, Timeline
from pipeline.detector.thresholds.estimate import FAR_MORE
from pipeline.evaluation.rate import Promise, agreeing_rates
from pipeline.utc_day import DAY_NS

_US = 1000  # nanoseconds: with those, long times of many machines would not fit
_HOUR_NS = DAY_NS // 24
_SPANS_NS = (DAY_NS // 2, DAY_NS, 3 * DAY_NS, 7 * DAY_NS)
_NEW_NS = DAY_NS  # of a longer span this much must be far above the promise as well: it goes on
_EVERY_NS = 3 * _HOUR_NS
_SURE = 0.995  # more than a gate needs: four spans are compared eight times a day, every day
_ONE_FAULT_NS = 6 * _HOUR_NS
_JOIN_NS = _HOUR_NS  # as flags of one incident are joined
_FEWEST_MACHINES = 3  # of two it is unclear which one differs
_FEW = 10  # one machine in so many

AGAIN_NS = 2 * DAY_NS
"""Without a share outside for so long the threshold holds again."""

REACH_NS = max(_SPANS_NS)
"""A share is that of the rows of so long a time at most."""


@dataclass(frozen=True)
class ShareOutside:
    """A share of flagged rows that the threshold does not promise.

    Attributes:
        at_ns: time up to which rows were counted, UTC nanoseconds since 1970.
        span_ns: length of the span.
        share: of the counted rows that are flagged.
        rows: number of counted rows.
        rows_effective: what they are worth.
        most: the highest share that agrees with the promise.
    """

    at_ns: int
    span_ns: int
    share: float
    rows: int
    rows_effective: float
    most: float


def most_promised(flagged: int, rows: int, promise: Promise) -> float | None:
    """The highest share that agrees with the promise, where that of `rows` rows is beyond it.

    None where it agrees, or is not far above the promise.
    """
    if not rows or flagged <= FAR_MORE * promise.alpha * rows:
        return None
    most = agreeing_rates(promise, worth(promise) * rows, sure=_SURE)[1]
    return most if flagged / rows > most else None


def worth(promise: Promise) -> float:
    """The independent rows that one row is worth, by the calibration rows."""
    return min(1.0, promise.n_effective / max(1, promise.n))


def shares_outside(
    flagged: Mask, timeline: Timeline, promise: Promise, *, first_ns: int, end_ns: int
) -> Iterator[ShareOutside]:
    """The shares that the promise does not allow, looked at eight times a day, oldest first.

    Args:
        flagged: of rows with a score by one version, shape (n,).
        timeline: their times and machines.
        promise: of the threshold of that version.
        first_ns: the first time to look at.
        end_ns: the last one; later rows are not counted.
    """
    if not flagged.any():
        return
    counted = _Counted(flagged, timeline)
    begin = -(-max(first_ns, int(timeline.time_ns.min()) + 1) // _EVERY_NS) * _EVERY_NS
    for at_ns in range(begin, end_ns + 1, _EVERY_NS):
        newest = counted.within(at_ns - _NEW_NS, at_ns)
        goes_on = newest[0] > FAR_MORE * promise.alpha * newest[1]
        for span in _SPANS_NS:
            if span > _NEW_NS and not goes_on:
                continue
            hits, rows = newest if span == _NEW_NS else counted.within(at_ns - span, at_ns)
            most = most_promised(hits, rows, promise)
            if most is not None:
                yield ShareOutside(at_ns, span, hits / rows, rows, worth(promise) * rows, most)
                break


def lasting(outside: Sequence[ShareOutside], end_ns: int) -> tuple[ShareOutside, ...]:
    """The newest of these shares that follow each other closely, up to `end_ns`; oldest first.

    None where the last one is so long ago that the threshold holds again.
    """
    after, kept = end_ns, list[ShareOutside]()
    for each in reversed(outside):
        if after - each.at_ns >= AGAIN_NS:
            break
        kept.append(each)
        after = each.at_ns
    return tuple(reversed(kept))


def risen_since(flagged: Mask, timeline: Timeline, promise: Promise, *, at_ns: int) -> int:
    """Time of the first flagged row since which the share is far above the promise.

    `at_ns` is the first time at which a share was outside.
    """
    order = np.argsort(timeline.time_ns, kind="stable")
    time, marked = timeline.time_ns[order], flagged[order]
    more = np.concatenate([[0.0], np.cumsum(marked - FAR_MORE * promise.alpha)])
    begin, end = np.searchsorted(time, [_calm_before(time, more, at_ns), at_ns], "left")
    rise = int(begin + np.argmin(more[begin:end]))
    return int(time[rise + int(np.argmax(marked[rise:end]))])


def _calm_before(time: NDArray[np.int64], more: NDArray[np.float64], at_ns: int) -> int:
    """When the newest two days begin in which no share was far above the promise."""
    earliest = at_ns - REACH_NS
    for after in range(at_ns - min(_SPANS_NS), earliest + AGAIN_NS, -_EVERY_NS):
        begin, end = np.searchsorted(time, [after - AGAIN_NS, after], "left")
        if begin < end and more[end] <= more[begin]:
            return after - AGAIN_NS
    return earliest


@dataclass(frozen=True)
class _Counted:
    """The rows of which shares are counted, and which of them are flagged."""

    flagged: Mask
    timeline: Timeline

    @cached_property
    def _start(self) -> int:
        return int(self.timeline.time_ns.min())

    @cached_property
    def _apart(self) -> int:
        """Microseconds; more than any two moments are apart, as machines follow each other."""
        return (int(self.timeline.time_ns.max()) - self._start + 2 * REACH_NS) // _US

    @cached_property
    def _place(self) -> NDArray[np.int64]:
        """Of each row by machine and time, ascending."""
        order = self.timeline.order
        return self._at(self.timeline.time_ns[order], self.timeline.entity[order])

    def _at(self, time_ns: NDArray[np.int64] | int, entity: Indices) -> NDArray[np.int64]:
        place: NDArray[np.int64] = (time_ns - self._start) // _US + entity * self._apart
        return place

    @cached_property
    def _total(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.flagged[self.timeline.order])])

    @cached_property
    def _episodes(self) -> tuple[Indices, Indices, Indices]:
        """First row, the row after the last that may be left out, and machine of each episode."""
        held = np.flatnonzero(self.flagged[self.timeline.order])
        # Machines are further apart than any episode reaches.
        reach = max(_JOIN_NS, GAP_CADENCES * self.timeline.cadence_ns) / _US
        starts = np.flatnonzero(np.diff(self._place[held], prepend=-np.inf) > reach)
        first = held[starts]
        last = held[np.append(starts[1:], len(held)) - 1]
        cut = np.searchsorted(self._place, self._place[first] + _ONE_FAULT_NS // _US, "left")
        machine = self.timeline.entity[self.timeline.order[first]]
        return first, np.minimum(last + 1, cut), machine

    def within(self, from_ns: int, to_ns: int) -> tuple[int, int]:
        """Flagged rows and rows that count, of those from `from_ns` to before `to_ns`."""
        machines = np.arange(len(self.timeline.names))
        begin = np.searchsorted(self._place, self._at(max(from_ns, self._start), machines), "left")
        end = np.searchsorted(self._place, self._at(max(to_ns, self._start), machines), "left")
        rows, hits = end - begin, self._total[end] - self._total[begin]
        first, after, machine = self._episodes
        first = np.maximum(first, begin[machine])
        length = np.minimum(after, end[machine]) - first
        by_length = np.argsort(length, kind="stable")
        longest = np.full(len(machines), -1)
        longest[machine[by_length]] = by_length  # the last one assigned stays
        out = longest[longest >= 0]
        out = out[length[out] > 0]
        rows[machine[out]] -= length[out]
        hits[machine[out]] -= self._total[first[out] + length[out]] - self._total[first[out]]
        present = np.flatnonzero(end > begin)
        if len(present) >= _FEWEST_MACHINES:
            share = hits[present] / np.maximum(1, rows[present])
            kept = len(present) - math.ceil(len(present) / _FEW)
            present = present[np.argsort(share, kind="stable")][:kept]
        return int(hits[present].sum()), int(rows[present].sum())
