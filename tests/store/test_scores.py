from typing import Any

import pytest

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.store.scores import champion_scores, muted_on, scored_days
from pipeline.tables import Table
from tests.builders import days, moment, stored_in

DAY, NEXT, LATER = days(3)


@pytest.fixture
def here(tmp_path) -> Deployment:
    """Two scored days, each with a row of the champion and one of its shadow."""
    rows = [row(day, role) for day in (DAY, NEXT) for role in ("champion", "challenger")]
    rows[2] |= {"entity": "b", "muted": "flow,pressure"}
    rows[3] |= {"muted": "angle"}
    tables.append(Table(str(tmp_path), "pumps", "scores"), rows)
    return stored_in(tmp_path)


def row(day, role: str) -> dict[str, Any]:
    return {
        "date": day, "timestamp": moment(day), "entity": "a", "role": role,
        "version": 1 if role == "champion" else 2, "score": 0.5, "muted": "",
    }  # fmt: skip


def test_a_day_counts_as_scored_once_it_has_a_row(here, tmp_path):
    assert scored_days(here, "pumps") == [DAY, NEXT]
    assert scored_days(stored_in(tmp_path / "nowhere"), "pumps") == []


def test_what_only_the_shadow_scored_is_left_out(here):
    found = champion_scores(here, "pumps", ["version", "score"])

    assert list(found.columns) == ["version", "score"]
    assert list(found["version"]) == [1, 1]


def test_the_day_comes_only_where_it_is_asked_for_and_both_ends_count(here):
    found = champion_scores(here, "pumps", ["date", "score"], first=NEXT, last=LATER)

    assert list(found["date"]) == [NEXT]


def test_before_the_first_score_there_are_no_rows(tmp_path):
    assert champion_scores(stored_in(tmp_path), "pumps", ["date", "score"]).empty


def test_the_channels_that_the_champion_left_out_come_with_their_machine(here):
    assert muted_on(here, "pumps", NEXT) == (("flow", "b"), ("pressure", "b"))
    assert muted_on(here, "pumps", DAY) == ()
