from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.data.missing_channels import MissingChannel
from pipeline.monitoring.day_status import expected, states_of
from pipeline.store.day_records import Delivery, Scoring
from tests.builders import FIRST_DAY, days, make_spec

NOON = datetime(2024, 2, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
GOOD = Delivery("validated", changed_at=NOON)
DONE = Scoring(held=True, verdict="scored", scored_at=LATER)


def state(delivery=None, scoring=None) -> str:
    deliveries = {FIRST_DAY: delivery} if delivery else {}
    scorings = {FIRST_DAY: scoring} if scoring else {}
    (found,) = states_of([FIRST_DAY], deliveries, scorings)
    assert found.is_final == (found.state in {"scored", "quarantined", "failed", "empty"})
    assert found.reason or found.state == "scored" or delivery.reason == ""
    return found.state


@pytest.mark.parametrize(
    ("delivery", "scoring", "wanted"),
    [
        (GOOD, DONE, "scored"),
        (Delivery("quarantined", accepted=False), None, "quarantined"),
        (Delivery("empty", accepted=False), None, "empty"),
        (Delivery("failed", "no answer", accepted=False), None, "failed"),
        (GOOD, Scoring(held=False, verdict="failed", reason="NaN"), "failed"),
        (Delivery("validated", accepted=False), None, "empty"),
        (GOOD, Scoring(held=False, verdict="empty"), "empty"),
    ],
    ids=[
        "scored", "blocked", "nothing came", "not fetched", "not scorable", "no row fit",
        "no row to score",
    ],
)  # fmt: skip
def test_a_day_ends_in_one_of_four_ways(delivery, scoring, wanted):
    assert state(delivery, scoring) == wanted


def test_a_scored_day_names_the_channels_that_it_lacks():
    lacking = tuple(
        MissingChannel(channel, pump, "stuck_sensor", 14, NOON, NOON, "it stays")
        for channel, pump in [("flow", "b"), ("pressure", ""), ("angle", "a"), ("angle", "c")]
    )
    (found,) = states_of(
        [FIRST_DAY], {FIRST_DAY: replace(GOOD, missing=lacking)}, {FIRST_DAY: DONE}
    )

    assert found.state == "scored"
    assert found.reason == (
        "without flow of b (stuck sensor, 14 rows), pressure (stuck sensor, 14 rows), angle of a "
        "(stuck sensor, 14 rows) and 1 more"
    )


def test_a_day_that_was_never_attempted_is_missing():
    assert state() == "missing"


def test_a_validated_day_without_scores_waits():
    assert state(GOOD) == "waiting"


def test_a_day_whose_rows_changed_after_its_scores_waits():
    late = Delivery("validated", changed_at=LATER + timedelta(hours=1))

    assert state(late, DONE) == "waiting"


@pytest.mark.parametrize(("changed", "read", "wanted"), [(7, 7, "scored"), (8, 7, "waiting")])
def test_order_is_decided_by_versions_of_the_table_not_by_clocks(changed, read, wanted):
    for skew in (timedelta(days=1), -timedelta(days=1)):
        delivery = replace(GOOD, changed_at=LATER + skew, changed_in=changed)

        assert state(delivery, replace(DONE, read=read)) == wanted


def test_a_day_that_changed_and_then_could_not_be_scored_failed():
    late = Delivery("validated", changed_at=LATER + timedelta(hours=1))
    scoring = Scoring(held=True, verdict="failed", reason="NaN", scored_at=LATER)

    assert state(late, scoring) == "failed"


@pytest.mark.parametrize(
    ("delivery", "scoring", "scoring_failed"),
    [
        (Delivery("failed", "scoring: no", accepted=False), None, False),
        (GOOD, Scoring(held=False, verdict="failed", reason="NaN"), True),
        (GOOD, DONE, False),
    ],
    ids=["not fetched", "not scorable", "scored"],
)
def test_a_failed_day_says_whether_its_scoring_failed(delivery, scoring, scoring_failed):
    (found,) = states_of([FIRST_DAY], {FIRST_DAY: delivery}, {FIRST_DAY: scoring or DONE})

    assert found.scoring_failed == scoring_failed


def test_a_blocked_redelivery_of_a_scored_day_is_quarantined():
    assert state(Delivery("quarantined", "half came", changed_at=NOON), DONE) == "quarantined"


@pytest.mark.parametrize(
    ("delivery", "scoring"),
    [
        (None, Scoring(held=True)),
        (Delivery("quarantined", accepted=False), DONE),
        (GOOD, Scoring(held=False, verdict="scored", scored_at=LATER)),
    ],
    ids=["scored without rows", "blocked and scored", "on record and not there"],
)
def test_tables_that_disagree_are_reported(delivery, scoring):
    assert state(delivery, scoring) == "contradictory"


def test_every_day_has_exactly_one_state():
    found = states_of(days(3), {days(3)[1]: GOOD}, {days(3)[1]: DONE})

    assert [(each.day, each.state) for each in found] == list(
        zip(days(3), ["missing", "scored", "missing"], strict=True)
    )


def test_days_are_expected_from_the_start_to_yesterday():
    assert expected(make_spec(), [], date(2024, 1, 4)) == days(3)


def test_a_history_that_has_ended_is_expected_as_far_as_it_was_loaded():
    spec = make_spec(schedule={"start": "2024-01-01", "end": "2024-01-31"})

    due = expected(spec, [days(4)[1], days(4)[3]], date(2025, 1, 1))

    assert due == days(4)[1:]
    assert expected(spec, [], date(2025, 1, 1)) == []


def test_nothing_is_expected_after_the_end_though_it_is_not_long_past():
    spec = make_spec(schedule={"start": "2024-01-01", "end": "2024-01-03"})

    assert expected(spec, [], date(2024, 1, 4)) == days(3)
