"""Cases carried from one day to the next: opened, extended, and closed when raw data return. Pure.

A day's cases follow from the cases of the day before and from the day's facts, and from nothing
else. So whoever scores a day again, or delivers it late, carries on from there and gets the cases
that he would have got in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from pipeline.cases.growth import doublings, with_departure
from pipeline.cases.records import (
    DEGRADATION,
    EPISODE,
    REGIME,
    SHIFT,
    Case,
    CaseKey,
    CaseState,
    ChannelRange,
    DayFacts,
    SeenDegradation,
    Stretch,
    Tail,
    Track,
    case_id,
)
from pipeline.utc_day import ONE_DAY, midnight

_NAMED = 5


@dataclass
class _Day:
    """One day's work.

    Attributes:
        day: the UTC day.
        facts: of its rows.
        cases: unresolved so far, and those that are not told yet.
        returned: closed on this day.
    """

    day: date
    facts: DayFacts
    cases: dict[CaseKey, Case]
    returned: list[Case] = field(default_factory=list)


def fold(
    before: CaseState, day: date, facts: DayFacts, said: Sequence[SeenDegradation] = ()
) -> tuple[CaseState, tuple[Case, ...]]:
    """The state after `day`, and the cases whose raw data returned on it.

    Args:
        before: the state after the newest day before.
        day: the UTC day.
        facts: what its rows show.
        said: what the watch of the scores says of it.
    """
    work = _Day(day, facts, {case.key: case for case in before.cases})
    rows = {each.machine: each for each in facts.machines}
    tracks = {track.key: track for track in facts.tracks}
    tails = {tail.machine: tail for tail in before.tails}
    for machine in sorted(rows.keys() | tails.keys()):
        track = tracks.pop((EPISODE, machine, ""), None)
        scored = rows[machine].scored if machine in rows else 0
        tails[machine] = _episodes(work, machine, scored, track, tails.get(machine))
    for key, track in sorted(tracks.items()):
        _advance(work, key, track.rows, track.stretches)
    for key in sorted(work.cases.keys() - tracks.keys()):
        if key[0] in (SHIFT, REGIME) and key[1] in rows:
            _advance(work, key, rows[key[1]].rows, ())
    for each in said:
        _degradation(work, each)
    kept = (tail for _, tail in sorted(tails.items()) if tail.flagged or tail.unmuted)
    state = CaseState(tuple(case for _, case in sorted(work.cases.items())), tuple(kept))
    return state, tuple(sorted(work.returned, key=lambda case: (case.start, case.id)))


def _episodes(
    work: _Day, machine: str, scored: int, track: Track | None, tail: Tail | None
) -> Tail:
    """Carry the episode of a machine on; returns the clusters that the next day may go on with."""
    facts = work.facts
    unmuted = track.stretches if track else ()
    flagged = unmuted if track is None or track.flagged is None else track.flagged
    was = tail or Tail(machine, None, None)
    unmuted = _joined(was.unmuted, unmuted, facts)
    flagged = _joined(was.flagged, flagged, facts)
    reasons = [each for each in flagged if _is_sustained(each, facts)]
    stretches = [
        replace(each, opens=any(_touch(each, reason) for reason in reasons))
        for each in unmuted
        if _is_sustained(each, facts)
    ]
    _advance(work, (EPISODE, machine, ""), scored, stretches)
    ends = midnight(work.day) + ONE_DAY - facts.join
    return Tail(machine, _last(flagged, was.flagged, ends), _last(unmuted, was.unmuted, ends))


def _joined(
    tail: Stretch | None, stretches: tuple[Stretch, ...], facts: DayFacts
) -> tuple[Stretch, ...]:
    """The clusters of a day, the first one with what the day before has of it."""
    if tail is None or not stretches or stretches[0].start - tail.end > facts.join:
        return stretches
    # The rows of a cluster that was sustained already are counted.
    counted = 0 if _is_sustained(tail, facts) else tail.rows
    first = replace(stretches[0], start=tail.start, rows=counted + stretches[0].rows, before=0)
    return (first, *stretches[1:])


def _last(stretches: Sequence[Stretch], tail: Stretch | None, ends: datetime) -> Stretch | None:
    """The last cluster, if it may go on after the day."""
    last = stretches[-1] if stretches else tail
    return last if last is not None and last.end >= ends else None


def _is_sustained(stretch: Stretch, facts: DayFacts) -> bool:
    """Whether a cluster is longer than clusters of normal rows are."""
    return round((stretch.end - stretch.start) / facts.cadence) + 1 > facts.longest


def _touch(one: Stretch, other: Stretch) -> bool:
    return one.start <= other.end and other.start <= one.end


def _advance(work: _Day, key: CaseKey, rows: int, stretches: Iterable[Stretch]) -> None:
    """Carry the case of `key` through a day of its machine that has so many rows."""
    place = 0
    for stretch in stretches:
        _pass(work, key, stretch.before - place)
        case = work.cases.get(key)
        if case is not None:
            work.cases[key] = _extended(case, stretch, work.facts)
        elif stretch.opens or key[0] != EPISODE:
            work.cases[key] = _opened(key, stretch, work.facts)
        place = stretch.after
    _pass(work, key, rows - place)


def _pass(work: _Day, key: CaseKey, rows: int) -> None:
    """Let `rows` rows pass that are as before; enough of them close the case."""
    case = work.cases.get(key)
    if case is None or rows <= 0 or not _are_judged(case, work.facts):
        return
    before = _are_as_before(case, work.facts)
    quiet = case.quiet if before is None else (case.quiet + rows) * before
    case = replace(case, calm=case.calm + rows, quiet=quiet)
    if case.quiet < work.facts.asked:
        work.cases[key] = case
        return
    del work.cases[key]
    if case.told:
        closed = replace(case, quiet=0, calm=0, resuming=None, returned=work.day)
        work.returned.append(closed)


def _are_judged(case: Case, facts: DayFacts) -> bool:
    """Whether the version of the day has the channels of the case."""
    return {each.channel for each in case.ranges} <= {each.channel for each in facts.ranges}


def _are_as_before(case: Case, facts: DayFacts) -> bool | None:
    """Whether rows that are in range by the version of the day were so for that of the case.

    A later version may have been trained on what the case is about: for it nothing is out of range.
    Then the values say it that the machine sent on the day, all of them: where some were still out,
    they are no rows on end. None: they are not known.
    """
    now = {each.channel: place for place, each in enumerate(facts.ranges)}
    spans = [(facts.ranges[now[each.channel]], each) for each in case.ranges]
    if all(_is_within(was, given.low, given.high) for given, was in spans):
        return True
    sent = next((each.between for each in facts.machines if each.machine == case.key[1]), ())
    found = [sent[2 * now[each.channel] :][:2] for each in case.ranges] if sent else []
    ends = [(low, high) for low, high in found if low is not None and high is not None]
    if not found or len(ends) < len(found):
        return None
    return all(_is_within(was, *end) for was, end in zip(case.ranges, ends, strict=True))


def _is_within(was: ChannelRange, low: float, high: float) -> bool:
    return low >= was.low - was.margin and high <= was.high + was.margin


def _opened(key: CaseKey, stretch: Stretch, facts: DayFacts) -> Case:
    kind, machine, _ = key
    first = Case(
        id=case_id(key, stretch.start, facts.asked * facts.cadence),
        kind=kind,
        start=stretch.start,
        last_row=stretch.end,
        machines=(machine,) if machine else (),
        channels=(),
        why="",
        told=False,
    )
    return _extended(first, stretch, facts)


def _extended(case: Case, stretch: Stretch, facts: DayFacts) -> Case:
    channels = tuple(sorted({*case.channels, *stretch.channels}))
    known = {each.channel for each in case.ranges}
    added = (
        each for each in facts.ranges if each.channel in channels and each.channel not in known
    )
    ranges = (*case.ranges, *added)
    anew = stretch.start if case.calm >= facts.asked else case.resuming
    resumes = anew is not None and stretch.opens
    case = replace(case, channels=channels, ranges=ranges)
    if case.kind == SHIFT and stretch.opens and stretch.farthest is not None and ranges:
        case = replace(case, departures=with_departure(case, stretch.farthest))
    return replace(
        case,
        last_row=max(case.last_row, stretch.end),
        rows=case.rows + stretch.rows,
        why=_why(case, facts),
        quiet=0,
        told=case.told or stretch.opens,
        calm=0,
        resuming=None if resumes else anew,
        resumed=(*case.resumed, anew) if anew is not None and resumes else case.resumed,
    )


def _why(case: Case, facts: DayFacts) -> str:
    if case.kind == EPISODE:
        if case.why:
            return case.why
        return (
            f"Rows are flagged for longer than the {facts.longest} rows that clusters of normal "
            "rows span at most."
        )
    names = case.channels
    if case.kind == REGIME:
        more = f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
        named = ", ".join(names[:_NAMED])
        return f"{len(names)} channels left their training range together: {named}{more}."
    span = next((f", {each.low:.4g} to {each.high:.4g}" for each in case.ranges), "")
    grown = "".join(
        f" Since {each.at:%Y-%m-%d} it is {each.times:.1f} times as far outside as when it was "
        f"told, at {each.value:.6g}."
        for each in doublings(case)[-1:]
    )
    return f"{names[0]} stays outside its training range{span}.{grown}"


def _degradation(work: _Day, said: SeenDegradation) -> None:
    """Open, extend or close the one degradation of a detector."""
    key, first = (DEGRADATION, "", ""), midnight(said.since or work.day)
    last = midnight(work.day) + ONE_DAY - timedelta(microseconds=1)
    case = work.cases.get(key)
    if said.returned:
        if case is not None:
            del work.cases[key]
            work.returned.append(replace(case, returned=work.day))
        return
    if case is not None and said.accepted and case.start < midnight(said.accepted) + ONE_DAY:
        work.returned.append(replace(case, returned=work.day))
        case = None
    begun = case or Case(case_id(key, first, ONE_DAY), DEGRADATION, first, last, (), (), "")
    work.cases[key] = replace(
        begun,
        last_row=last,
        machines=tuple(sorted({*begun.machines, *said.machines})),
        channels=tuple(sorted({*begun.channels, *said.channels})),
        why=said.why,
    )
