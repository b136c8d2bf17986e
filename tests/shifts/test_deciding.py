import numpy as np

from pipeline.config import Columns, Shifts
from pipeline.shifts import left_out
from tests.shifts.station import PLAIN, RECOGNISED, column, decision, ranged, shifts_in, station

LIMITS = Shifts()


def judge(frame, *decisions):
    return shifts_in(frame, ranged(), PLAIN, LIMITS, decisions)


def away(rows=200, first=20):
    frame = station(rows)
    frame.loc[first:, "pressure"] = 9.0
    return frame


def test_what_a_person_mutes_is_muted_from_then_on_whatever_it_measures():
    found = judge(station(60), decision("flow", "mute", row=30))

    assert column(found, "flow") == list(range(30, 60))
    assert not found.moved.any()


def test_what_a_person_muted_is_not_reported_as_moved():
    assert not judge(away(), decision("pressure", "mute")).moved.any()


def test_what_a_person_accepts_is_scored_again_and_not_reported():
    found = judge(away(), decision("pressure", "accept", row=100))

    assert column(found, "pressure") == list(range(20 + RECOGNISED, 100))
    assert max(column(found, "pressure", "moved")) == 99


def test_what_a_person_unmutes_is_scored_again_and_still_reported():
    found = judge(away(), decision("pressure", "unmute", row=100))

    assert max(column(found, "pressure")) == 99
    assert max(column(found, "pressure", "moved")) == 199


def test_accepted_channels_make_no_regime():
    frame = away()
    frame.loc[20:, ["flow", "load"]] = 9.0

    assert judge(frame).regime.any()
    assert not judge(frame, decision("flow", "accept")).regime.any()


def test_of_several_decisions_the_one_made_last_counts():
    mute = decision("flow", "mute", row=10, day=1)
    later = decision("flow", "mute", row=40, day=1)
    unmute = decision("flow", "unmute", row=30, day=2)

    assert column(judge(station(60), unmute, later, mute), "flow") == list(range(10, 30))


def test_a_decision_about_one_machine_leaves_the_others_alone():
    ours = decision("flow", "mute", machine="a")

    assert not judge(station(60, machine="b"), ours).muted.any()
    assert judge(station(60, machine="a"), ours).muted.any()


def test_a_decision_about_an_unknown_channel_says_nothing():
    assert not judge(station(60), decision("colour", "mute")).muted.any()


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
        found = shifts_in(frame, ranged(columns), columns, LIMITS, [decision(channel, "mute")])
        gone = left_out(found, len(columns.feature_columns))
        return set(np.array(columns.feature_columns)[gone.all(axis=0)])

    assert features_without("power") == {"power", "power_vs_peers"}
    assert features_without("yaw") == {"yaw_sin", "yaw_cos"}
