"""The table `cases`: the same cases in whatever order its days are written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest

from pipeline.cases import NOTHING, ChannelRange, SeenDegradation
from pipeline.cases.records import Departure
from pipeline.store import cases as store
from pipeline.store.cases import (
    carry_on_after,
    case_records,
    cases_after,
    settle_cases,
    state_degradation,
)
from pipeline.store.upkeep import remove_day
from pipeline.tables import Table, current_version, read
from tests.builders import stored_in
from tests.cases.made import FIRST, after, at, facts, far, flags, shift, stretch

DAYS = [FIRST + timedelta(days=n) for n in range(6)]
LASTS = [
    facts(shift(stretch(0, 20, 23, opens=False)), flags(stretch(0, 21, 23))),
    facts(shift(stretch(1, 0, 23)), flags(stretch(1, 0, 3))),
    facts(shift(far(2, 15.0))),
    facts(),
    facts(shift(far(4, 15.0, first=8, last=18))),
    facts(shift(far(5, 24.0, first=8, last=18))),
]
FOR_EVER = date(2100, 1, 1)


@pytest.fixture
def here(tmp_path):
    return stored_in(tmp_path)


def settled(here, *numbers, given=LASTS):
    return settle_cases(here, "pumps", {DAYS[n]: given[n] for n in numbers})


def rows(here):
    held = read(Table(here.storage, "pumps", "cases"), keep_date=True)
    return held.sort_values("date").reset_index(drop=True)


def version(here):
    return current_version(Table(here.storage, "pumps", "cases"))


def test_a_case_of_an_earlier_release_is_carried_on(here, monkeypatch):
    wider = (ChannelRange("flow", 0.0, 40.0, 0.8),)
    given = [
        facts(shift(stretch(0, 0, 23))),
        facts(ranges=wider),
        facts(shift(stretch(2, 0, 9)), ranges=wider),
    ]
    with monkeypatch.context() as earlier:
        earlier.setattr(store, "_laid_out", _without("calm", "resuming", "resumed", "departures"))
        settled(here, 0, given=given)
    assert "resumed" not in rows(here)["state"].iloc[0]

    settled(here, 1, 2, given=given)

    (case,) = cases_after(here, "pumps", DAYS[2])
    assert (case.last_row, case.resumed) == (at(2, 9), (at(2, 0),))


def _without(*fields):
    """Lays rows out without these fields of their cases."""
    laid_out = store._laid_out

    def changed(rows):
        made = {}
        for day, row in rows.items():
            state = json.loads(row.state)
            for case in state["cases"]:
                for field in fields:
                    del case[field]
            made[day] = replace(row, state=json.dumps(state))
        return laid_out(made)

    return changed


def test_the_cases_after_each_day_can_be_read_again(here):
    settled(here, *range(6))

    for number, day in enumerate(DAYS):
        state, _ = after(*LASTS[: number + 1])
        assert cases_after(here, "pumps", day) == tuple(case for case in state.cases if case.told)
    assert cases_after(here, "pumps", DAYS[0] - timedelta(days=1)) == ()
    assert cases_after(here, "fans", DAYS[-1]) == ()


def test_departures_of_a_shift_are_read_as_they_were_written(here):
    settled(here, *range(6))

    (case,) = cases_after(here, "pumps", DAYS[-1])
    assert case.departures == (Departure(at(4, 8), 15.0), Departure(at(5, 8), 24.0))


def test_cases_that_returned_stay_on_record(here):
    settled(here, *range(6))

    found = case_records(here, "pumps", None, FOR_EVER)
    assert [(case.kind, case.returned) for case in found] == [
        ("shift", DAYS[3]), ("episode", DAYS[1]), ("shift", None),
    ]  # fmt: skip
    assert [case.kind for case in case_records(here, "pumps", None, DAYS[1])] == [
        "shift", "episode",
    ]  # fmt: skip
    assert [case.start.date() for case in case_records(here, "pumps", DAYS[4], FOR_EVER)] == [
        DAYS[4]
    ]


@pytest.mark.parametrize("order", [*list(permutations(range(6)))[::97], (5, 4, 3, 2, 1, 0)])
def test_any_order_of_days_gives_the_same_table(here, order, tmp_path):
    for number in order:
        settled(here, number)
    at_once = stored_in(tmp_path / "at once")
    settled(at_once, *range(6))

    assert rows(here).equals(rows(at_once))


def test_the_same_facts_again_write_nothing(here):
    settled(here, *range(6))
    before = version(here)

    assert settled(here, *range(6)) == 0
    assert settled(here, 2) == 0
    assert version(here) == before


def test_late_rows_are_carried_on_only_as_far_as_cases_change(here):
    settled(here, *range(6))
    quiet = [*LASTS[:2], facts(), *LASTS[3:]]

    assert settled(here, 2, given=quiet) == 2  # the day, and the next one, where both agree again
    assert settled(here, *range(6), given=quiet) == 0


def test_a_day_costs_the_rows_of_two_days_however_long_the_history(here, monkeypatch):
    settled(here, *range(5))
    read_days = []
    original = store._rows

    def counted(*given):
        found = original(*given)
        read_days.extend(found)
        return found

    monkeypatch.setattr(store, "_rows", counted)
    settled(here, 5)

    assert read_days == [DAYS[4]]


def test_a_day_without_rows_is_written_only_over_one_that_had_some(here):
    assert settle_cases(here, "pumps", {DAYS[0]: NOTHING}) == 0
    settled(here, 0, 1)

    assert settle_cases(here, "pumps", {DAYS[1]: NOTHING}) == 1
    assert cases_after(here, "pumps", DAYS[1]) == ()


def test_a_day_that_was_taken_back_is_taken_out_of_the_cases(here):
    settled(here, *range(6))
    remove_day(here, "pumps", DAYS[1], "a mistake")
    carry_on_after(here, "pumps", DAYS[1])
    without = rows(here)
    carry_on_after(here, "pumps", DAYS[5])

    settled(here, *range(6), given=[LASTS[0], NOTHING, *LASTS[2:]])
    assert without.equals(rows(here))


def test_a_degradation_stays_when_its_day_is_scored_again(here):
    settled(here, 0, 1)
    said = SeenDegradation(DAYS[1], ("a",), ("flow",), "Scores rose by 40 %.")
    state_degradation(here, "pumps", said)
    settled(here, 0, 1, given=[facts(), facts()])
    settled(here, 2, given=[facts()] * 3)

    (case,) = cases_after(here, "pumps", DAYS[2])
    assert (case.kind, case.why) == ("degradation", "Scores rose by 40 %.")
    assert state_degradation(here, "pumps", said) == 0


def test_a_writer_that_was_overtaken_on_a_day_before_carries_on_from_there(here, monkeypatch):
    settled(here, 0)
    original, others = store._laid_out, [1]

    def overtaken(changed):
        if others:
            settled(here, others.pop())
        return original(changed)

    monkeypatch.setattr(store, "_laid_out", overtaken)
    settled(here, 2)
    monkeypatch.undo()

    assert settled(here, 0, 1, 2) == 0
    assert cases_after(here, "pumps", DAYS[2])[0].start.hour == 20
