"""A day that was ingested by mistake is taken back: its rows are gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline import settings, tables
from pipeline.errors import DataError
from pipeline.monitoring.day_status import states_on_record
from pipeline.steps.forgetting import forget, plan_forgetting
from pipeline.store.cases import cases_after, settle_cases
from pipeline.store.days import day_records
from pipeline.store.ingestions import Attempt, latest_states, record
from pipeline.store.labels import Label, add_labels
from pipeline.tables import Table
from tests.builders import days, make_spec, moment
from tests.cases.made import FIRST, facts, shift, stretch
from tests.steps.asked import put_detector, put_incident

DAY, NEXT, LAST = days(3)
STRAY = date(2026, 11, 29)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
BEFORE = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def pumps(here):
    """Three days of telemetry, on record, and a stray one that was empty at the source."""
    put_detector(here)
    for day in (DAY, NEXT, LAST):
        attempt = Attempt(day, BEFORE, "r", "validated", "validated", accepted=72)
        record(here, "pumps", [attempt])
    record(here, "pumps", [Attempt(STRAY, BEFORE, "r", "empty", "empty")])
    return here


def take_back(day: date) -> None:
    forget(
        settings.load(),
        plan_forgetting(settings.load(), "pumps", day, now=NOW),
        "a slip",
        "ann",
        now=NOW,
    )


def standings(here) -> dict[date, str]:
    return {each.day: each.standing for each in latest_states(here, "pumps")}


def test_a_forgotten_day_does_not_count_and_stays_on_record(pumps):
    take_back(STRAY)

    assert STRAY not in standings(pumps)
    rows = tables.read(Table(pumps.storage, "pumps", "ingestions"), first_day=STRAY)
    assert sorted(rows["standing"]) == ["empty", "withdrawn"]
    assert set(rows["reasons"]) == {"", "taken back by ann: a slip"}


def test_its_rows_leave_every_table_and_those_of_other_days_stay(pumps):
    put_incident(pumps, moment(NEXT, 3), entity="b", rows=4)
    planned = plan_forgetting(settings.load(), "pumps", NEXT, now=NOW)
    assert planned.rows["telemetry"] == 72
    assert planned.rows["incidents"] == 1

    take_back(NEXT)

    for name in ("telemetry", "incidents", "scores"):
        assert NEXT not in tables.days_in(Table(pumps.storage, "pumps", name))
    assert {DAY, LAST} <= set(tables.days_in(Table(pumps.storage, "pumps", "telemetry")))


def test_to_look_changes_nothing(pumps):
    before = tables.current_version(Table(pumps.storage, "pumps", "telemetry"))

    plan_forgetting(settings.load(), "pumps", NEXT, now=NOW)

    assert tables.current_version(Table(pumps.storage, "pumps", "telemetry")) == before
    assert standings(pumps)[NEXT] == "validated"


def test_a_day_that_a_person_has_judged_stays(pumps):
    label = Label(moment(DAY, 3), moment(DAY, 5), "a", "incident", "", "ann", NOW, "")
    add_labels(pumps, "pumps", [label])

    with pytest.raises(DataError, match=r"1 labels are about 2024-01-01, the first by ann"):
        plan_forgetting(settings.load(), "pumps", DAY, now=NOW)


def test_a_day_whose_label_was_taken_back_may_go(pumps):
    label = Label(moment(DAY, 3), moment(DAY, 5), "a", "incident", "", "ann", NOW, "")
    later = NOW + timedelta(hours=1)
    add_labels(pumps, "pumps", [label, replace(label, verdict="withdrawn", created_at=later)])

    assert plan_forgetting(settings.load(), "pumps", DAY, now=later).rows["telemetry"] > 0


@pytest.mark.usefixtures("pumps")
def test_a_day_that_is_not_on_record_cannot_be_taken_back():
    with pytest.raises(DataError, match="nothing on record of 2025-05-05"):
        plan_forgetting(settings.load(), "pumps", date(2025, 5, 5), now=NOW)


@pytest.mark.usefixtures("pumps")
def test_a_day_is_taken_back_once():
    take_back(STRAY)

    with pytest.raises(DataError, match="nothing on record"):
        plan_forgetting(settings.load(), "pumps", STRAY, now=NOW)


@pytest.mark.usefixtures("pumps")
def test_whether_the_schedule_still_expects_the_day_is_said():
    assert plan_forgetting(settings.load(), "pumps", NEXT, now=NOW).expected
    assert not plan_forgetting(settings.load(), "pumps", NEXT, now=moment(NEXT)).expected


def test_a_scored_day_that_comes_again_afterwards_waits_for_new_scores(pumps):
    row = {"date": NEXT, "scored_at": BEFORE, "verdict": "scored", "reason": ""}
    tables.append(Table(pumps.storage, "pumps", "scorings"), [row])
    tables.append(Table(pumps.storage, "pumps", "scores"), [{"date": NEXT, "role": "champion"}])
    take_back(NEXT)

    again = NOW + timedelta(hours=1)
    record(pumps, "pumps", [Attempt(NEXT, again, "r", "validated", "validated", accepted=72)])

    found = states_on_record(make_spec(), day_records(pumps, "pumps"), LAST)
    assert {each.day: each.state for each in found}[NEXT] == "waiting"


def test_what_only_a_forgotten_day_showed_is_no_case_any_more(pumps):
    first = (DAY - FIRST).days
    shown = {
        DAY: facts(),
        NEXT: facts(shift(stretch(first + 1, 0, 23))),
        LAST: facts(rows=12),
    }
    settle_cases(pumps, "pumps", shown)
    assert len(cases_after(pumps, "pumps", LAST)) == 1

    take_back(NEXT)

    assert cases_after(pumps, "pumps", LAST) == ()
    assert settle_cases(pumps, "pumps", {LAST: shown[LAST]}) == 0
