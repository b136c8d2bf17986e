"""What the first days of a window say of its last ones."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from pipeline.config import DetectorSpec
from pipeline.data.derive import derive
from pipeline.data.forward_test import ForwardTest
from pipeline.data.split import split
from pipeline.evaluation.forward_test import forward_test
from tests.builders import FIRST_DAY, days, make_frame, make_spec

DAYS = 36
LAST = FIRST_DAY + timedelta(days=30)


@pytest.fixture(scope="module")
def spec() -> DetectorSpec:
    return make_spec()


def forward_of(frame: pd.DataFrame, spec: DetectorSpec) -> ForwardTest | None:
    return forward_test(split(derive(frame, spec.columns), spec), spec)


def test_where_the_last_days_are_like_the_first_ones_it_is_about_what_was_promised(spec) -> None:
    found = forward_of(make_frame(DAYS), spec)

    assert (found.first, found.last) == (LAST, days(DAYS)[-1])
    assert found.rows == 6 * 24 * 3
    assert found.rate < 0.1
    assert found.interval[0] <= 0.01 <= found.interval[1]


def test_where_another_season_begins_it_says_so(spec) -> None:
    frame = make_frame(DAYS)
    thaw = frame["timestamp"].dt.date >= LAST
    frame.loc[thaw, "pressure"] += 5 * frame["pressure"].std()

    found = forward_of(frame, spec)

    assert found.rate > 0.5
    assert found.interval[1] > 0.9
    assert found.sentence.startswith("a version trained on the days before 2024-01-31 flags ")


def test_a_change_that_the_first_days_have_seen_is_none(spec) -> None:
    frame = make_frame(DAYS)
    every_third = frame["timestamp"].dt.dayofyear % 2 == 0
    frame.loc[every_third, "pressure"] += 5 * frame["pressure"].std()

    assert forward_of(frame, spec).rate < 0.2


def test_of_too_few_days_it_says_nothing(spec) -> None:
    of_one_day = spec.model_copy(
        update={"split": spec.split.model_copy(update={"train": 1, "calibration": 1, "test": 1})}
    )

    assert forward_of(make_frame(3), of_one_day) is None
