"""Made-up facts of days: one machine a row every hour, unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pipeline.cases import Case, CaseAnswer, CaseState, ChannelRange, DayFacts, fold
from pipeline.cases.records import Departure, MachineRows, Stretch, Track

FIRST = date(2024, 5, 1)
HOUR = timedelta(hours=1)
FLOW = ChannelRange("flow", 0.0, 10.0, 0.2)
ASKED, LONGEST = 16, 4


def at(day: int, hour: float = 0) -> datetime:
    return datetime(2024, 5, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)


def stretch(day: int, first: int, last: int, **changed) -> Stretch:
    """Hours `first` to `last` of a day, all of them."""
    made = {
        "start": at(day, first),
        "end": at(day, last),
        "rows": last - first + 1,
        "before": first,
        "after": last + 1,
        "opens": True,
    }
    return Stretch(**{**made, **changed})


def far(day: int, value: float, *, first: int = 0, last: int = 23, **changed) -> Stretch:
    """Hours of a day in which the flow stayed at `value`."""
    return stretch(day, first, last, farthest=Departure(at(day, first), value), **changed)


def grown(*values: float) -> list[DayFacts]:
    """Days on which the flow stayed at these values."""
    return [facts(shift(far(day, value))) for day, value in enumerate(values)]


def shift(*stretches: Stretch, rows: int = 24, machine: str = "a", channel: str = "flow") -> Track:
    named = tuple(
        Stretch(**{**vars(each), "channels": each.channels or (channel,)}) for each in stretches
    )
    return Track("shift", machine, channel, rows, named)


def flags(*stretches: Stretch, rows: int = 24, machine: str = "a", as_scored=None) -> Track:
    return Track("episode", machine, "", rows, stretches, as_scored)


def facts(*tracks: Track, rows: int = 24, machines=("a",), between=(), **changed) -> DayFacts:
    return DayFacts(
        **{
            "asked": ASKED,
            "longest": LONGEST,
            "join": 2 * HOUR,
            "cadence": HOUR,
            "ranges": (FLOW,),
            "machines": tuple(MachineRows(name, rows, rows, between) for name in machines if rows),
            "tracks": tracks,
            **changed,
        }
    )


def after(*days: DayFacts) -> tuple[CaseState, list[Case]]:
    """The state after these days in a row, and all cases that returned."""
    state, returned = CaseState(), []
    for number, each in enumerate(days):
        state, closed = fold(state, FIRST + timedelta(days=number), each)
        returned += closed
    return state, returned


def told(*days: DayFacts) -> list[Case]:
    """The cases that are unresolved after these days."""
    return [case for case in after(*days)[0].cases if case.told]


def case(**changed) -> Case:
    made = {
        "id": "c0ffee",
        "kind": "shift",
        "start": at(0, 8),
        "last_row": at(3),
        "machines": ("a",),
        "channels": ("flow",),
        "why": "flow stays outside its training range.",
    }
    return Case(**{**made, **changed})


def answer(what: str = "normal from now on", **changed) -> CaseAnswer:
    made = {
        "case": "c0ffee",
        "kind": "shift",
        "entity": "a",
        "channel": "flow",
        "start": at(0, 8),
        "end": at(3),
        "answer": what,
        "note": "a new valve",
        "author": "ann",
        "created_at": at(4),
    }
    return CaseAnswer(**{**made, **changed})
