from datetime import timedelta

import pytest

from pipeline.cases import NOTHING
from pipeline.settings import Deployment
from pipeline.store.scores import DayScores
from pipeline.store.scorings import (
    ScoringRun,
    last_input_names,
    record_scored,
    record_scores_withdrawn,
    record_unscored,
    scorings_in_order,
    versions_that_scored,
)
from pipeline.tables.schemas import SCHEMAS
from tests.builders import days, moment, stored_in

DAY, NEXT, LATER = days(3)
NOON = moment(LATER, 12)


@pytest.fixture
def here(tmp_path) -> Deployment:
    return stored_in(tmp_path)


def score(here, day, inputs: str, *, at=NOON, version: int = 1, challenger=None, rows: int = 24):
    scored = DayScores(day, SCHEMAS["scores"].empty_table(), rows, (), 2, 0.5, "", NOTHING)
    run = ScoringRun(at, "r", version, challenger, 2.5, 7)
    record_scored(here, "pumps", [(scored, inputs)], run)


def test_a_row_says_what_the_day_gave_and_what_scored_it(here):
    score(here, DAY, "first", challenger=2)
    score(here, NEXT, "none", rows=0)

    columns = ("verdict", "rows", "flags", "version", "challenger", "telemetry_version")
    found = scorings_in_order(here, "pumps", columns)

    assert found.iloc[0][list(columns)].to_list() == ["scored", 24, 2, 1, 2, 7]
    assert list(found["verdict"]) == ["scored", "empty"]


def test_attempts_come_in_the_order_of_the_table_whatever_their_clocks(here):
    score(here, DAY, "first", at=NOON)
    score(here, DAY, "second", at=NOON - timedelta(days=1))

    assert list(scorings_in_order(here, "pumps", ["basis"])["basis"]) == ["first", "second"]
    assert last_input_names(here, "pumps", [DAY, NEXT]) == {DAY: "second"}


def test_a_failure_does_not_hide_the_inputs_of_the_scores_that_are_there(here):
    score(here, DAY, "first")
    record_unscored(here, "pumps", {DAY: "NaN", NEXT: "NaN"}, now=NOON, run="r")

    assert last_input_names(here, "pumps", [DAY, NEXT]) == {DAY: "first"}
    failed = scorings_in_order(here, "pumps", ["verdict", "reason"], first=NEXT, last=NEXT)
    assert failed[["verdict", "reason"]].to_numpy().tolist() == [["failed", "NaN"]]


def test_scores_that_were_taken_back_have_no_inputs(here):
    score(here, DAY, "first")
    record_scores_withdrawn(here, "pumps", DAY, "by mistake", now=NOON, author="ann")

    assert last_input_names(here, "pumps", [DAY]) == {DAY: None}


def test_a_version_counts_by_when_it_scored_or_by_the_day_and_so_does_its_shadow(here):
    long_ago = NOON - timedelta(days=400)
    score(here, DAY, "a", at=long_ago, version=1, challenger=2)
    score(here, DAY, "a", at=NOON, version=3)
    score(here, LATER, "b", at=long_ago, version=4, challenger=5)
    since = NOON - timedelta(hours=1)

    assert versions_that_scored(here, "pumps", since=since, days=timedelta(days=1)) == {3, 4, 5}
    assert versions_that_scored(here, "pumps", since=since, days=timedelta(days=2)) == {
        1,
        2,
        3,
        4,
        5,
    }
    assert versions_that_scored(here, "fans", since=since, days=timedelta(days=2)) == set()
