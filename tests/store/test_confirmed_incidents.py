"""Confirmed incidents of other days than the test block's."""

from datetime import timedelta

import pandas as pd
import pytest

from pipeline.data.label import Label
from pipeline.store.confirmed_incidents import read_confirmed_incidents
from pipeline.store.labels import add_labels
from pipeline.store.telemetry import telemetry_table
from pipeline.store.training_window import read_training_window
from pipeline.tables import Table, replace_days
from tests.builders import days, make_spec, make_telemetry, moment, on, stored_in

SPEC = make_spec(split={"training_days": 6, "minimum_days": 6})
DAYS = days(12)
AS_OF = DAYS[-1] + timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    rows = telemetry_table(make_telemetry(12), SPEC.columns)
    replace_days(Table(str(tmp_path), SPEC.name, "telemetry"), DAYS, rows, metadata={})
    return str(tmp_path)


def confirm(lake, day, verdict="incident", *, at=moment(DAYS[-1], 12)):  # noqa: B008 - a constant
    said = Label(moment(day, 3), moment(day, 5), "a", verdict, "", "ann", at)
    add_labels(stored_in(lake), SPEC.name, [said])


def incidents_of(lake, as_of=AS_OF, without=()):
    window = read_training_window(stored_in(lake), SPEC, as_of).manifest
    return read_confirmed_incidents(stored_in(lake), SPEC, window, without=without)


def shown(frame):
    return sorted(set(frame["timestamp"].dt.date)) if len(frame) else []


def test_confirmed_incidents_are_shown_also_from_before_the_window(lake):
    confirm(lake, DAYS[1])
    confirm(lake, DAYS[8])

    frame = incidents_of(lake)

    assert shown(frame) == [DAYS[1], DAYS[8]]
    assert len(frame) == 2 * 72
    assert (frame["eval_label"] == 1).equals(on(frame, "a", [3, 4, 5]))


def test_the_days_of_the_test_block_are_left_to_it(lake):
    confirm(lake, DAYS[7])
    confirm(lake, DAYS[8])

    assert shown(incidents_of(lake, without=[DAYS[7]])) == [DAYS[8]]


def test_a_verdict_that_was_withdrawn_is_no_incident(lake):
    confirm(lake, DAYS[8])
    confirm(lake, DAYS[8], "normal", at=moment(DAYS[-1], 13))

    assert shown(incidents_of(lake)) == []


def test_nothing_of_the_as_of_day_or_later_is_shown(lake):
    confirm(lake, DAYS[4])
    confirm(lake, DAYS[9])

    assert shown(incidents_of(lake, as_of=DAYS[-1])) == []
    assert shown(incidents_of(lake, as_of=AS_OF)) == [DAYS[4], DAYS[9]]


def test_rows_from_before_a_feature_existed_are_left_out(lake):
    confirm(lake, DAYS[1])
    confirm(lake, DAYS[8])
    old = make_telemetry(3).drop(columns="flow").assign(flow=float("nan"))
    rows = telemetry_table(old, SPEC.columns)
    replace_days(Table(lake, SPEC.name, "telemetry"), DAYS[:3], rows, metadata={})

    assert shown(incidents_of(lake)) == [DAYS[8]]


def test_without_labels_there_are_no_confirmed_incidents(lake):
    pd.testing.assert_frame_equal(incidents_of(lake), pd.DataFrame())
