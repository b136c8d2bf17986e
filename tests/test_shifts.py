from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import Columns, Shifts
from pipeline.shifts import left_out, lookback, rows_of
from tests.station import (
    BRIEF,
    PLAIN,
    RECOGNISED,
    THIRD,
    column,
    decision,
    ranged,
    shifts_in,
    station,
)

DECIDED = Shifts()

LIMITS = Shifts()


def judge_decided(frame, *decisions):
    return shifts_in(frame, ranged(), PLAIN, DECIDED, decisions)


def away(rows=200, first=20):
    frame = station(rows)
    frame.loc[first:, "pressure"] = 9.0
    return frame


def test_what_a_person_mutes_is_muted_from_then_on_whatever_it_measures():
    found = judge_decided(station(60), decision("flow", "mute", row=30))

    assert column(found, "flow") == list(range(30, 60))
    assert not found.moved.any()


def test_what_a_person_muted_is_not_reported_as_moved():
    assert not judge_decided(away(), decision("pressure", "mute")).moved.any()


def test_what_a_person_accepts_is_scored_again_and_not_reported():
    found = judge_decided(away(), decision("pressure", "accept", row=100))

    assert column(found, "pressure") == list(range(20 + RECOGNISED, 100))
    assert max(column(found, "pressure", "moved")) == 99


def test_what_a_person_unmutes_is_scored_again_and_still_reported():
    found = judge_decided(away(), decision("pressure", "unmute", row=100))

    assert max(column(found, "pressure")) == 99
    assert max(column(found, "pressure", "moved")) == 199


def test_accepted_channels_make_no_regime():
    frame = away()
    frame.loc[20:, ["flow", "load"]] = 9.0

    assert judge_decided(frame).regime.any()
    assert not judge_decided(frame, decision("flow", "accept")).regime.any()


def test_of_several_decisions_the_one_made_last_counts():
    mute = decision("flow", "mute", row=10, day=1)
    later = decision("flow", "mute", row=40, day=1)
    unmute = decision("flow", "unmute", row=30, day=2)

    assert column(judge_decided(station(60), unmute, later, mute), "flow") == list(range(10, 30))


def test_a_decision_about_one_machine_leaves_the_others_alone():
    ours = decision("flow", "mute", machine="a")

    assert not judge_decided(station(60, machine="b"), ours).muted.any()
    assert judge_decided(station(60, machine="a"), ours).muted.any()


def test_a_decision_about_an_unknown_channel_says_nothing():
    assert not judge_decided(station(60), decision("colour", "mute")).muted.any()


def test_with_a_channel_goes_all_that_is_derived_from_it():
    columns = Columns.model_validate(
        {
            "entity": "machine",
            "cadence": "10min",
            "features": {"power": {"unit": "kW"}, "yaw": {"unit": "deg", "circular": True}},
            "derived": [{"kind": "peer_deviation", "of": ["power"]}],
        }
    )
    frame = station(10, columns=columns)

    def features_without(channel):
        found = shifts_in(frame, ranged(columns), columns, DECIDED, [decision(channel, "mute")])
        gone = left_out(found, len(columns.feature_columns))
        return set(np.array(columns.feature_columns)[gone.all(axis=0)])

    assert features_without("power") == {"power", "power_vs_peers"}
    assert features_without("yaw") == {"yaw_sin", "yaw_cos"}


def judge(frame, columns=PLAIN, **limits):
    return shifts_in(frame, ranged(columns), columns, Shifts(**limits))


def out(frame, channel, first, last=None, value=9.0):
    frame.loc[first : None if last is None else last - 1, channel] = value
    return frame


def test_a_channel_is_muted_once_it_is_out_of_range_for_most_of_an_hour():
    found = judge(out(station(60), "pressure", 20))

    assert column(found, "pressure") == list(range(20 + RECOGNISED, 60))
    assert found.muted.sum() == len(column(found, "pressure"))


def test_both_ends_of_the_range_count():
    assert column(judge(out(station(60), "flow", 20, value=-0.5)), "flow")


def test_the_padding_is_no_outside():
    assert not judge(out(station(60), "flow", 20, value=1.015)).muted.any()
    assert judge(out(station(60), "flow", 20, value=1.015), padding=0.01).muted.any()


def test_an_actuator_stays_where_it_was_put():
    features = {name: {"unit": "1", "may_be_constant": name == "flow"} for name in PLAIN.features}
    parking = Columns.model_validate(
        {"entity": "machine", "cadence": "10min", "features": features}
    )

    found = judge(out(out(station(60), "flow", 20), "pressure", 20), parking)

    assert not column(found, "flow")
    assert column(found, "pressure")


def test_three_odd_rows_in_an_hour_mute_nothing():
    frame = station(60)
    frame.loc[[20, 22, 24, 40, 41, 42], "pressure"] = 9.0

    assert not judge(frame).muted.any()


def test_a_channel_that_returns_is_judged_again_by_itself():
    found = judge(out(station(200), "pressure", 20, 150))

    assert column(found, "pressure")[-1] == 150 + BRIEF - RECOGNISED - 2


def test_a_channel_that_stays_away_is_reported_and_a_brief_one_is_not():
    away = judge(out(station(200), "pressure", 20))
    brief = judge(out(station(200), "pressure", 20, 20 + THIRD - BRIEF))

    assert column(away, "pressure", "moved")[0] == 20 + RECOGNISED + THIRD
    assert brief.muted.any()
    assert not brief.moved.any()


def test_a_channel_that_is_back_is_no_longer_reported():
    found = judge(out(station(300), "pressure", 20, 150))

    assert column(found, "pressure", "moved")[-1] == column(found, "pressure")[-1]


def test_two_channels_at_once_are_two_sensors_by_name():
    found = judge(out(out(station(200), "pressure", 20), "flow", 20))

    assert column(found, "pressure", "moved") == column(found, "flow", "moved") != []
    assert not found.regime.any()


def test_three_channels_at_once_are_a_new_regime_that_names_none_and_mutes_on():
    frame = station(200)
    for channel in ("pressure", "flow", "load"):
        out(frame, channel, 20)

    found = judge(frame)

    assert np.flatnonzero(found.regime).tolist() == list(range(20 + RECOGNISED + THIRD, 200))
    assert not found.moved.any()
    assert len(column(found, "load")) == 180 - RECOGNISED


def test_a_larger_machine_needs_more_channels_for_a_regime():
    columns = PLAIN.model_copy(update={"features": {f"m{i:02}": _ANY for i in range(80)}})
    frame = station(200, columns=columns)
    for channel in ("m00", "m01", "m02", "m03"):
        out(frame, channel, 20)

    assert not judge(frame, columns).regime.any()
    assert judge(out(frame, "m04", 20), columns).regime.any()


_ANY = PLAIN.features["load"]


@given(seed=st.integers(0, 10_000), row=st.integers(0, 299))
def test_no_row_depends_on_later_rows_nor_on_rows_before_the_lookback(seed, row):
    frame = erratic(300, seed)
    reach = lookback(LIMITS, ranged().schema)

    whole = rows_of(judge(frame), slice(row, row + 1))

    time = frame["timestamp"]
    seen = frame[(time <= time[row]) & (time > time[row] - reach)].reset_index(drop=True)
    assert_same(rows_of(judge(seen), slice(-1, None)), whole)


@given(seed=st.integers(0, 10_000))
def test_neither_the_order_of_rows_nor_other_machines_change_an_answer(seed):
    one, other = erratic(150, seed), erratic(150, seed + 1, machine="b")
    mixed = pd.concat([one, other], ignore_index=True)
    shuffled = np.random.default_rng(seed).permutation(len(mixed))

    found = judge(mixed.iloc[shuffled])

    back = rows_of(found, np.argsort(shuffled))
    assert_same(rows_of(back, slice(0, 150)), judge(one))
    assert_same(rows_of(back, slice(150, None)), judge(other))


def test_rows_from_before_a_gap_speak_for_no_row_after_it():
    frame = out(station(100), "pressure", 20).drop(index=range(40, 60)).reset_index(drop=True)

    found = judge(frame)

    assert column(found, "pressure") == [*range(20 + RECOGNISED, 40), *range(40 + RECOGNISED, 80)]


@pytest.mark.parametrize(("cadence", "muted"), [("1min", 30), ("10min", 3), ("1h", 3)])
def test_limits_are_spans_of_time_of_at_least_six_rows(cadence, muted):
    columns = PLAIN.model_copy(update={"cadence": pd.Timedelta(cadence).to_pytimedelta()})

    found = judge(out(station(300, columns=columns), "flow", 100), columns)

    assert column(found, "flow")[0] == 100 + muted


def test_rows_too_sparse_for_the_lookback_mute_nothing():
    columns = PLAIN.model_copy(update={"cadence": timedelta(hours=6)})

    assert not judge(out(station(100, columns=columns), "flow", 20), columns).muted.any()
    assert lookback(LIMITS, ranged(columns).schema) == timedelta(hours=24)


def test_weather_and_angles_are_never_muted_by_themselves():
    columns = Columns.model_validate(
        {
            "entity": "machine",
            "cadence": "10min",
            "features": {
                "power": {"unit": "kW"},
                "yaw": {"unit": "deg", "circular": True},
                "warmth": {"unit": "degC", "context": True},
            },
            "derived": [{"kind": "peer_deviation", "of": ["power", "warmth"]}],
        }
    )
    frame = station(100, columns=columns)
    for feature in ("yaw_sin", "yaw_cos", "warmth", "warmth_vs_peers", "power_vs_peers"):
        out(frame, feature, 20)

    assert not judge(frame, columns).muted.any()
    assert column(judge(out(frame, "power", 20), columns), "power")


def test_a_span_beyond_a_day_is_refused():
    with pytest.raises(ValidationError, match="exceed 24 h together"):
        Shifts(trailing="6h", lasting="19h")


def erratic(rows, seed, machine="a"):
    """Rows in which stretches of some channels are out of range."""
    random = np.random.default_rng(seed)
    frame = station(rows, machine=machine, seed=seed)
    for _ in range(8):
        first, length = random.integers(rows), random.integers(1, 120)
        out(frame, random.choice(PLAIN.feature_columns), int(first), int(first + length))
    return frame


def assert_same(one, other):
    for kind in ("muted", "moved", "regime"):
        np.testing.assert_array_equal(getattr(one, kind), getattr(other, kind))


def test_a_missing_value_is_neither_in_range_nor_out_of_it():
    frame = out(station(60), "pressure", 20)
    frame.loc[20:59, "flow"] = np.nan
    frame.loc[40:59, "pressure"] = np.nan
    known = ranged(PLAIN)
    gappy = replace(known, schema=replace(known.schema, missing_cells=0.5))

    found = shifts_in(frame, gappy, PLAIN, Shifts())

    assert not column(found, "flow")
    assert column(found, "pressure") == list(range(20 + RECOGNISED, 40 + BRIEF - RECOGNISED - 1))
