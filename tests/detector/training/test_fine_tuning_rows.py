"""Which rows and days a fine-tuning may use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import INCIDENT, NORMAL
from pipeline.data.split import trains
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.training.fine_tuning_rows import (
    day_roles,
    days_of,
    newest_days,
    recent_rows,
    refuse_other_roles,
    replayable,
    spread_evenly,
    trained_span,
)
from pipeline.errors import DataError
from tests.builders import ROWS_A_DAY, days, make_frame, make_spec
from tests.refusing import refusal

SPEC = make_spec(fine_tuning={"recent_days": 2})
TRAINING = Provenance(
    {"first_day": "2024-01-01", "last_day": "2024-01-30", **day_roles(SPEC)}, "commit", "lock"
)


def test_only_the_newest_days_that_have_rows_are_recent():
    frame = make_frame(6)
    frame = frame[frame["timestamp"].dt.date != days(5)[-1]]

    recent = newest_days(frame, SPEC)

    assert days_of(recent, SPEC.columns) == {days(4)[-1], days(6)[-1]}
    assert len(recent) == 2 * ROWS_A_DAY
    assert list(recent.index) == list(range(len(recent)))


def test_flagged_rows_are_left_out_unless_a_person_has_called_them_normal():
    frame = make_frame(1).head(5)
    frame[LABEL_COLUMN] = [NORMAL, 0, NORMAL, 0, INCIDENT]
    flagged = np.array([True, True, False, False, False])

    found = recent_rows(frame, flagged)

    assert list(found.frame["flow"]) == list(frame["flow"].iloc[[0, 2, 3, 4]])
    assert (found.confirmed, found.suspects) == (2, 1)


def test_where_nobody_has_labelled_anything_each_flagged_row_is_a_suspect():
    frame = make_frame(1).head(4)

    found = recent_rows(frame, np.array([True, False, True, True]))

    assert (len(found.frame), found.confirmed, found.suspects) == (1, 0, 3)


def test_a_day_is_replayed_if_the_weights_were_trained_on_it_and_it_is_not_recent():
    every = days(40)
    train = [day for day in every if trains(day, SPEC)]
    inside = [day for day in train if train[1] <= day <= train[-2]]

    found = replayable(every, (train[1], train[-2]), {inside[0]}, SPEC)

    assert found == inside[1:]
    assert len(found) < len(every) - 4  # days of calibration and test are never replayed


@pytest.mark.parametrize("most", [1, 3, 7])
def test_replayed_days_are_spread_from_the_first_to_the_last(most: int):
    chosen = spread_evenly(days(31), most)

    assert len(chosen) == most
    assert chosen[0] == days(1)[0]
    gaps = {later - earlier for earlier, later in pairwise(chosen)}
    assert len(gaps) <= 1
    assert most == 1 or chosen[-1] == days(31)[-1]


def test_fewer_days_than_asked_for_are_all_replayed_once():
    assert spread_evenly(days(3), 8) == days(3)
    assert spread_evenly([], 8) == []


def test_weights_of_days_with_the_same_roles_are_accepted():
    silent = replace(TRAINING, data={})  # bundles of old releases do not say

    assert refusal(lambda: refuse_other_roles(TRAINING, 3, SPEC)) is None
    assert refusal(lambda: refuse_other_roles(silent, 3, SPEC)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"split": {"method": "contiguous"}}, "split.method is contiguous"),
        ({"split": {"train": 5, "calibration": 2, "test": 1}}, "Days were split by"),
        ({"schedule": {"start": "2024-01-02"}}, "Days were split by"),
    ],
)
def test_weights_that_may_have_seen_calibration_or_test_days_are_refused(change, reason: str):
    with pytest.raises(DataError, match=rf"{reason}.*version 3.*calibration or test days"):
        refuse_other_roles(TRAINING, 3, make_spec(**change))


def test_the_span_reaches_back_to_the_days_of_the_weights_that_were_fine_tuned():
    since = date(2023, 6, 1)
    start = Start(1, "", since, 2, 9, 0, 0, 1, 9)

    assert trained_span(TRAINING) == (date(2024, 1, 1), date(2024, 1, 30))
    assert trained_span(replace(TRAINING, start=start))[0] == since
    later = replace(start, since=since + timedelta(days=365))
    assert trained_span(replace(TRAINING, start=later))[0] == date(2024, 1, 1)


def test_a_bundle_that_does_not_say_when_it_was_trained_is_refused():
    with pytest.raises(DataError, match=r"'last_day'.*Train without warm_start"):
        trained_span(replace(TRAINING, data={"first_day": "2024-01-01"}))
