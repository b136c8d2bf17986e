from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipeline.data.forward_test import ForwardTest
from pipeline.data.timeline import Timeline
from pipeline.monitoring.provisional import due, provisional
from tests.builders import ESTIMATE

FEW = replace(ESTIMATE, n=1300, n_effective=40.0, rate_interval=(0.0003, 0.06))
QUARTER_HOURS = Timeline(
    np.arange(4, dtype=np.int64) * 900_000_000_000,
    np.zeros(4, dtype=np.intp),
    ("",),
    900_000_000_000,
)
UNTIL = date(2024, 3, 31)


def said(threshold=FEW, timeline=QUARTER_HOURS, until=UNTIL):
    return provisional(threshold, timeline, until, needed=100, minimum_days=14)


def test_a_threshold_from_enough_rows_is_not_provisional() -> None:
    assert said(replace(FEW, n_effective=100.0)) is None


def test_it_says_rows_rate_and_when_there_will_be_enough() -> None:
    found = said()

    assert found is not None
    # 96 rows a day are worth 3 each: 34 days, and up to a week until the next recalibration.
    assert found.confirmed_about == date(2024, 5, 11)
    assert "rests on 40 of 100 independent rows" in found.sentence
    assert "0.03% to 6.00%" in found.sentence
    assert found.sentence.endswith("until there are enough, about 2024-05-11")


def test_it_expects_of_later_days_what_the_last_ones_were_like() -> None:
    thaw = ForwardTest(date(2024, 3, 17), UNTIL, rows=1438, rate=0.696, interval=(0.4, 0.92))

    found = provisional(FEW, None, UNTIL, needed=100, minimum_days=14, forward=thaw)

    assert found is not None
    assert found.rate == (0.0003, 0.92)
    assert "0.03% to 92.00% of normal rows may be flagged (a version trained on" in found.sentence
    assert "before 2024-03-17 flags 69.6% of the 1,438 normal rows up to 2024-03-31)" in (
        found.sentence
    )


@pytest.mark.parametrize(("timeline", "until"), [(None, UNTIL), (QUARTER_HOURS, None)])
def test_where_times_are_unknown_it_names_no_day(timeline, until) -> None:
    found = said(timeline=timeline, until=until)

    assert found is not None
    assert found.confirmed_about is None
    assert found.sentence.endswith("until there are enough")


def test_two_machines_are_done_in_half_the_time() -> None:
    two = replace(QUARTER_HOURS, names=("a", "b"))

    found = said(timeline=two)

    assert found is not None
    assert found.confirmed_about == date(2024, 4, 24)


@pytest.mark.parametrize(
    ("since", "day", "asked"),
    [
        (date(2024, 4, 1), date(2024, 4, 10), False),  # fewer than fourteen new days
        (date(2024, 4, 1), date(2024, 4, 14), True),
        (date(2024, 4, 15), date(2024, 4, 20), False),  # estimated anew five days ago
        (date(2024, 4, 15), date(2024, 4, 21), True),
    ],
)
def test_it_is_due_each_week_once_there_are_new_rows(since, day, asked) -> None:
    found = said()

    assert found is not None
    assert due(found, since, day, minimum_days=14) == asked


def test_where_nobody_knows_which_rows_are_new_it_is_never_due() -> None:
    found = said(until=None)

    assert found is not None
    assert not due(found, date(2024, 4, 1), date(2025, 1, 1), minimum_days=14)
