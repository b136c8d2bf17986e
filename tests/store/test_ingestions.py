from datetime import timedelta

import pytest

from pipeline.settings import Deployment
from pipeline.store.ingestions import (
    Attempt,
    counting_attempts,
    largest_delivery,
    latest_states,
    record,
)
from tests.builders import days, moment, stored_in

DAY, NEXT = days(2)
NOON = moment(NEXT, 12)


@pytest.fixture
def here(tmp_path) -> Deployment:
    return stored_in(tmp_path)


def attempt(here, day, standing, *, at=NOON, **more) -> None:
    record(here, "pumps", [Attempt(day, at, "r", standing, standing, **more)])


def test_attempts_before_a_withdrawal_do_not_count_nor_does_it(here):
    attempt(here, DAY, "validated", delivered=72)
    attempt(here, NEXT, "quarantined")
    attempt(here, DAY, "withdrawn")
    attempt(here, DAY, "failed", at=NOON - timedelta(days=1), reasons="no answer")

    found = counting_attempts(here, "pumps", ["reasons"])

    assert list(found["date"]) == [NEXT, DAY]
    assert list(found["standing"]) == ["quarantined", "failed"]
    states = latest_states(here, "pumps")
    assert [(each.day, each.standing, each.reasons) for each in states] == [
        (DAY, "failed", "no answer"), (NEXT, "quarantined", ""),
    ]  # fmt: skip


def test_the_largest_delivery_is_that_of_any_day(here):
    assert largest_delivery(here, "pumps") == 0

    attempt(here, DAY, "validated", delivered=72)
    attempt(here, NEXT, "validated", delivered=24)

    assert largest_delivery(here, "pumps") == 72
