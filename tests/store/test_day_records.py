from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from pipeline import tables
from pipeline.data.fingerprint import Difference
from pipeline.monitoring.day_status import states_on_record
from pipeline.store.days import day_records
from pipeline.store.ingestions import Attempt, record
from pipeline.tables import Table
from pipeline.tables.schemas import SCHEMAS
from pipeline.tables.upkeep import remove_days
from tests.builders import FIRST_DAY, days, make_spec, stored_in

NOON = datetime(2024, 2, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


class Lake:
    """The three tables, written as ingestion and scoring write them."""

    def __init__(self, root: str) -> None:
        self.root = root

    def attempt(self, day: date, verdict: str, at=NOON, **more) -> None:
        made = {"accepted": 72 if verdict == "validated" else 0, "standing": verdict, **more}
        record(stored_in(self.root), "pumps", [Attempt(day, at, "r", verdict, **made)])

    def score(self, day: date, at=LATER, verdict: str = "scored", **more) -> None:
        row = {"date": day, "scored_at": at, "verdict": verdict, "reason": "", **more}
        tables.append(Table(self.root, "pumps", "scorings"), [row])
        rows = [{"date": day, "role": "champion"}] if verdict == "scored" else []
        content = pa.Table.from_pylist(rows, schema=SCHEMAS["scores"])
        tables.replace_days(Table(self.root, "pumps", "scores"), [day], content, metadata={})

    def take_back(self, day: date, at=LATER) -> None:
        self.attempt(day, "withdrawn", at)
        row = {"date": day, "scored_at": at, "verdict": "withdrawn", "reason": ""}
        tables.append(Table(self.root, "pumps", "scorings"), [row])

    def states(self) -> list[str]:
        found = states_on_record(
            make_spec(), day_records(stored_in(self.root), "pumps"), date(2024, 1, 6)
        )
        return [each.state for each in found]

    def by_day(self, today: date, **schedule: str) -> dict[date, str]:
        spec = make_spec(schedule=schedule)
        found = states_on_record(spec, day_records(stored_in(self.root), "pumps"), today)
        return {each.day: each.state for each in found}


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(str(tmp_path))


def test_the_tables_prove_the_state_of_each_day(lake):
    first, second, third, fourth, _ = days(5)
    lake.attempt(first, "validated")
    lake.score(first)
    lake.attempt(second, "quarantined", reasons="half came")
    lake.attempt(third, "failed", reasons="no answer")
    lake.attempt(fourth, "validated")

    assert lake.states() == ["scored", "quarantined", "failed", "waiting", "missing"]


def test_only_the_latest_attempt_counts(lake):
    lake.attempt(FIRST_DAY, "failed")
    lake.attempt(FIRST_DAY, "validated", LATER)
    lake.score(FIRST_DAY, LATER + timedelta(hours=1))

    assert lake.states()[0] == "scored"


def test_the_latest_attempt_is_the_last_one_written_not_by_clock(lake):
    lake.attempt(FIRST_DAY, "validated")
    lake.score(FIRST_DAY)
    lake.attempt(FIRST_DAY, "quarantined", NOON - timedelta(days=1), reasons="half came")
    lake.attempt(days(2)[1], "validated", telemetry_version=3)
    lake.score(days(2)[1], verdict="failed")
    lake.score(days(2)[1], LATER - timedelta(days=1), telemetry_version=3)

    assert lake.states()[:2] == ["quarantined", "scored"]


def test_late_rows_make_a_scored_day_wait_and_the_same_rows_do_not(lake):
    for day in days(2):
        lake.attempt(day, "validated")
        lake.score(day)
    tomorrow = LATER + timedelta(days=1)

    lake.attempt(days(2)[0], "validated", tomorrow, difference=Difference(0, 0, 1))
    lake.attempt(days(2)[1], "validated", tomorrow)  # another contract, the same rows

    assert lake.states()[:2] == ["waiting", "scored"]


def test_nothing_at_all_leaves_every_day_missing(lake):
    assert lake.states() == ["missing"] * 5


STRAY = date(2026, 11, 29)


def test_an_empty_day_years_later_makes_no_gap_of_the_days_between(lake):
    lake.attempt(FIRST_DAY, "validated")
    lake.score(FIRST_DAY)
    lake.attempt(STRAY, "empty")

    # The end was written into the file after the schedule had asked for the day.
    found = lake.by_day(date(2026, 11, 30), start="2024-01-01", end="2024-03-31")

    assert found == {FIRST_DAY: "scored", STRAY: "outside"}


@pytest.mark.parametrize("verdict", ["empty", "failed"])
def test_a_stray_day_within_an_ended_history_bounds_no_gap(lake, verdict):
    lake.attempt(FIRST_DAY, "validated")
    lake.score(FIRST_DAY)
    lake.attempt(STRAY, verdict)

    found = lake.by_day(date(2027, 1, 5), start="2024-01-01", end="2026-12-31")

    assert found == {FIRST_DAY: "scored", STRAY: verdict}


def test_days_before_a_start_that_was_moved_are_shown_and_are_no_violation(lake):
    first, second, third = days(3)
    for day in (first, third):
        lake.attempt(day, "validated")
    lake.score(first)

    spec = make_spec(schedule={"start": str(third)})
    found = states_on_record(spec, day_records(stored_in(lake.root), "pumps"), date(2024, 1, 4))

    assert [(each.day, each.state, each.is_final) for each in found] == [
        (first, "outside", True), (third, "waiting", False),
    ]  # fmt: skip
    assert second not in {each.day for each in found}
    assert found[0].reason == "scored"


def test_a_day_that_was_taken_back_is_not_on_record_any_more(lake):
    lake.attempt(FIRST_DAY, "validated")
    lake.score(FIRST_DAY)
    lake.attempt(STRAY, "empty")

    lake.take_back(STRAY)

    found = lake.by_day(date(2026, 11, 30), start="2024-01-01", end="2024-03-31")
    assert found == {FIRST_DAY: "scored"}


def test_a_day_that_came_again_after_it_was_taken_back_waits_for_its_scores(lake):
    lake.attempt(FIRST_DAY, "validated")
    lake.score(FIRST_DAY)
    scores = Table(lake.root, "pumps", "scores")
    remove_days(scores, [FIRST_DAY], metadata={})
    lake.take_back(FIRST_DAY, LATER + timedelta(hours=1))
    assert lake.states()[0] == "missing"

    lake.attempt(FIRST_DAY, "validated", LATER + timedelta(hours=2))

    assert lake.states()[0] == "waiting"
