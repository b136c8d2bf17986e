"""A channel that has never moved is at rest; one that stands still after it moved is broken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.contract import validate_days
from pipeline.data.resting import Resting, resting_text
from tests.builders import days, make_frame, make_spec, on

SPEC = make_spec()
D = days(4)


def constant(values: dict[int, float], n: int = 4) -> pd.DataFrame:
    """The pressure of pump a has one value all day on the days of `values`; else it moves."""
    frame = make_frame(n)
    for number, value in values.items():
        struck = on(frame, "a") & (frame["timestamp"].dt.date == D[number])
        frame.loc[struck, "pressure"] = value
    return frame


def faults(frame: pd.DataFrame, before=None) -> list[int]:
    """On which days the pressure is missing as constant."""
    found = validate_days(frame, SPEC, D, before)
    return [
        number
        for number, day in enumerate(D)
        if any(each.rule == "constant_sensor" for each in found[day].report.missing)
    ]


@pytest.mark.parametrize(
    ("values", "before", "expected"),
    [
        ({0: 5.0, 1: 5.0, 2: 5.0, 3: 5.0}, None, []),
        ({0: 5.0, 1: 5.0, 3: 5.0}, None, [3]),
        ({0: 5.0, 1: 6.0, 2: 6.0, 3: 6.0}, None, [1, 2, 3]),
        ({2: 5.0}, None, [2]),
        ({0: 5.0, 1: 5.0}, (), [0, 1]),
        ({0: 5.0, 1: 5.0}, (Resting("pressure", "a", 5.0),), []),
        ({0: 5.0, 1: 5.0}, (Resting("pressure", "a", 4.0),), [0, 1]),
        ({0: 5.0, 1: 5.0}, (Resting("pressure", "b", 5.0),), [0, 1]),
    ],
    ids=[
        "never moved", "moved on the third day", "another value", "moved before", "known to move",
        "known to rest", "known with another value", "another pump",
    ],
)  # fmt: skip
def test_only_a_channel_that_has_moved_can_stand_still(values, before, expected):
    assert faults(constant(values), before) == expected


def test_the_values_of_a_channel_at_rest_stay():
    result = validate_days(constant({0: 5.0}, 1), SPEC, D[:1])[D[0]]

    assert result.accepted["pressure"].notna().all()
    assert result.report.resting == (Resting("pressure", "a", 5.0),)


def test_a_day_without_rows_or_without_the_channel_changes_nothing():
    frame = constant({0: 5.0, 3: 5.0})
    day = frame["timestamp"].dt.date
    frame.loc[on(frame, "a") & (day == D[1]), "pressure"] = np.nan
    frame = frame[day != D[2]]

    found = validate_days(frame, SPEC, D)

    assert {each.rule for day in D for each in found[day].report.missing} == {"missing_value"}
    assert found[D[3]].report.resting == (Resting("pressure", "a", 5.0),)
    assert validate_days(frame.head(0), SPEC, D[:1])[D[0]].report.resting is None


@given(
    st.lists(st.sampled_from([None, np.nan, 5.0, 6.0]), min_size=4, max_size=4),
    st.sampled_from([None, (), (Resting("pressure", "a", 5.0),)]),
)
def test_days_one_by_one_give_what_all_at_once_give(values, before):
    frame = constant({at: each for at, each in enumerate(values) if each is not None})
    together = validate_days(frame, SPEC, D, before)

    for day in D:
        rows = frame[frame["timestamp"].dt.date == day]
        alone = validate_days(rows, SPEC, [day], before)[day]
        assert alone.report == together[day].report
        before = alone.report.resting


def test_many_channels_at_rest_are_some_names_and_a_number():
    assert resting_text([Resting("fan", "a", 1.0), Resting("rpm", "", 1.0)]) == "fan of a, rpm"
    assert resting_text([Resting("fan", "a", 1.0)] * 7).endswith("fan of a and 2 more")
