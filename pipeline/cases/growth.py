"""How a shift grows: it is told again each time that its distance from the range has doubled. Pure.

Distances are those beyond the range that the case remembers, whatever a later version was trained
on. One below half the width of the range counts as half: a shift that does not grow wanders by up
to that from day to day, with the channel's own slow waves (`benchmarks.lasting.growing_shift`), and
a creep that was told at a fiftieth of the width would otherwise be told five times before it is
half outside. So what is told is always at least a whole width outside.

A case keeps a departure only where it is clearly farther out than all before it, eight of them to a
doubling: so it stays small however long it lasts, and what a person has called normal is known to
a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.cases.records import SHIFT, Case, ChannelRange, Departure

FLOOR = 1 / 2
"""Share of the width of the range, that smaller distances count as."""

_CLEARLY = 2 ** (1 / 8)


@dataclass(frozen=True)
class Doubling:
    """A shift that is at least twice as far out as it was known to be.

    Attributes:
        at: the first row that was so far out.
        value: what the channel measured, in its own units.
        above: whether that is above the range.
        beyond: the distance from the range, in the same units.
        times: how many times as far out as it was known to be; None: it was known at the other end
            of the range only.
    """

    at: datetime
    value: float
    above: bool
    beyond: float
    times: float | None

    @property
    def octave(self) -> int:
        """The same for all distances of which none is twice another one; the next one is higher."""
        return math.frexp(self.beyond)[1]


def with_departure(case: Case, farthest: Departure) -> tuple[Departure, ...]:
    """The departures of a shift after a stretch of it, which the range of the case is known of."""
    span = case.ranges[0]
    far, above = _beyond(span, farthest), _is_above(span, farthest)
    if far <= 0:
        return case.departures
    added = (*case.departures, farthest)
    so_far = _farthest(span, case.departures, above=above)
    clearly = far >= _CLEARLY * max(so_far, _floor(span))
    if clearly or not case.departures or _doubles(case, added):
        return added
    return case.departures


def doublings(case: Case, accepted: datetime | None = None) -> tuple[Doubling, ...]:
    """When a shift had doubled since it was told, oldest first.

    Args:
        case: of any kind; only a shift can have some.
        accepted: a person has called normal what it showed until then. What counts is growth
            beyond that, and at an end of the range at which it was not any.
    """
    if case.kind != SHIFT or not case.departures:
        return ()
    span = case.ranges[0]
    until = [each for each in case.departures if accepted is not None and each.at <= accepted]
    # The first one of a case that an earlier release has begun is later than its start.
    known = until or case.departures[:1]
    told = {end: _farthest(span, known, above=end) for end in (True, False)}
    if accepted is None:
        told = dict.fromkeys(told, max(told.values()))
    found = []
    for each in case.departures[len(known) :]:
        far, above = _beyond(span, each), _is_above(span, each)
        if far < 2 * max(told[above], _floor(span)):
            continue
        times = far / max(told[above], span.margin) if told[above] else None
        found.append(Doubling(each.at, each.value, above, far, times))
        told = {end: max(was, far) for end, was in told.items()}
    return tuple(found)


def _doubles(case: Case, added: tuple[Departure, ...]) -> bool:
    return len(doublings(replace(case, departures=added))) > len(doublings(case))


def _farthest(span: ChannelRange, departures: Sequence[Departure], *, above: bool) -> float:
    same = (each for each in departures if _is_above(span, each) == above)
    return max((_beyond(span, each) for each in same), default=0.0)


def _floor(span: ChannelRange) -> float:
    return FLOOR * (span.high - span.low)


def _is_above(span: ChannelRange, departure: Departure) -> bool:
    return departure.value > span.high


def _beyond(span: ChannelRange, departure: Departure) -> float:
    return max(span.low - departure.value, departure.value - span.high, 0.0)
