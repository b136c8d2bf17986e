"""The facts of a day: from scored rows, whatever is muted and whoever has decided."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from pipeline.cases import CaseLimits, ChannelRange, DayFacts, DayValues, day_facts
from pipeline.config import Shifts
from pipeline.data.channels import channels
from pipeline.data.timeline import timeline_from
from pipeline.detector.inputs.frames import feature_values
from pipeline.incidents.judging import FlaggedRows
from pipeline.shifts import Shifted
from tests.cases.made import after
from tests.station import PLAIN, START, decision, nothing_out, ranged, shifts_in, station

LIMITS = CaseLimits(timedelta(hours=16), longest=5, join_rows=2, ranges=())
DAY = 144  # rows


def judged(frame, flagged=(), unmuted=None, decisions=(), columns=PLAIN):
    n = len(frame)
    marks = np.isin(np.arange(n), list(flagged))
    bare = marks if unmuted is None else np.isin(np.arange(n), list(unmuted))
    nothing = np.zeros((n, 5))
    shifts = shifts_in(frame, ranged(columns), columns, Shifts(), decisions)
    whole = np.zeros(n, dtype=bool)
    return FlaggedRows(
        np.ones(n), np.ones(n), marks, bare, shifts, nothing, nothing, whole, nothing.astype(bool)
    )


def facts_of(frame, *, limits=LIMITS, columns=PLAIN, **given):
    rows = judged(frame, columns=columns, **given)
    return day_facts(rows, timeline_from(frame, columns), limits, values_of(frame, columns))


def values_of(frame, columns=PLAIN):
    return DayValues(feature_values(frame, ranged(columns).schema), channels(columns))


def nothing_shifted(rows, names):
    nowhere = np.zeros((rows, len(names)), dtype=bool)
    places = tuple((place,) for place in range(len(names)))
    nothing = nothing_out(rows, len(names))
    return Shifted(tuple(names), places, nowhere, nowhere, nowhere[:, 0], nothing)


def kinds(facts):
    return [(track.kind, track.machine, track.channel) for track in facts.tracks]


def out(frame, first, last, *channels):
    frame.loc[first:last, list(channels)] = 9.0
    return frame


def test_an_ordinary_day_says_only_how_many_rows_there_were():
    facts = facts_of(station(DAY))

    assert facts.tracks == ()
    assert [(each.machine, each.rows, each.scored) for each in facts.machines] == [("a", DAY, DAY)]
    assert (facts.asked, facts.longest, facts.join) == (96, 5, timedelta(minutes=35))


def test_flags_in_the_middle_of_a_day_count_where_they_are_longer_than_normal_ones():
    facts = facts_of(station(DAY), flagged=[*range(50, 56), 80, 81])

    (track,) = facts.tracks
    (found,) = track.stretches
    assert (found.rows, found.before, found.after) == (6, 50, 56)
    assert track.flagged is None


def test_flags_at_the_ends_of_a_day_count_as_they_may_go_on():
    (track,) = facts_of(station(DAY), flagged=[0, 70, 143]).tracks

    assert [each.before for each in track.stretches] == [0, 143]


def test_flags_without_muting_are_told_apart_where_they_differ():
    (track,) = facts_of(station(DAY), flagged=range(20, 26), unmuted=range(20, 60)).tracks

    assert [each.rows for each in track.stretches] == [40]
    assert track.flagged is not None
    assert [each.rows for each in track.flagged] == [6]


def test_a_channel_that_stays_out_is_reason_enough_and_one_that_was_out_is_not():
    stays = facts_of(out(station(DAY), 20, DAY, "flow"))
    was = facts_of(out(station(DAY), 20, 30, "flow"))

    assert kinds(stays) == kinds(was) == [("shift", "a", "flow")]
    assert [track.stretches[0].opens for each in (stays, was) for track in each.tracks] == [
        True,
        False,
    ]


def test_what_people_decided_changes_no_fact():
    frame = out(station(DAY), 20, DAY, "flow")
    plain = facts_of(frame)

    for choice in ("mute", "accept", "unmute"):
        assert facts_of(frame, decisions=[decision("flow", choice)]) == plain


def test_many_channels_at_once_are_a_regime_and_no_single_shift():
    facts = facts_of(out(station(DAY), 20, DAY, "flow", "load", "heat"))
    state, _ = after(facts)

    (case,) = [each for each in state.cases if each.told]
    assert (case.kind, case.channels) == ("regime", ("flow", "heat", "load"))


def test_context_opens_no_case():
    columns = PLAIN.model_copy(
        update={
            "features": {
                **PLAIN.features,
                "flow": PLAIN.features["flow"].model_copy(update={"context": True}),
            }
        }
    )
    frame = out(station(DAY), 0, DAY, "flow")
    shifts = shifts_in(frame, ranged(columns), columns, Shifts())
    rows = replace(judged(frame), shifts=shifts)

    found = day_facts(rows, timeline_from(frame, columns), LIMITS, values_of(frame, columns))

    assert found.tracks == ()


def test_rows_that_lack_a_channel_are_told_as_such():
    frame = station(DAY)
    rows = judged(frame)
    raw = nothing_out(DAY, 5)
    raw.measured[:100, 1] = False
    rows = replace(rows, shifts=replace(rows.shifts, raw=raw))

    (track,) = day_facts(rows, timeline_from(frame, PLAIN), LIMITS, values_of(frame)).tracks

    assert (track.channel, track.rows, track.stretches) == ("flow", 44, ())


def test_rows_may_come_in_any_order():
    frame = out(station(DAY), 20, DAY, "flow")
    mixed = np.random.default_rng(1).permutation(DAY)
    flagged = np.flatnonzero(np.isin(mixed, range(40, 50)))

    assert facts_of(frame.iloc[mixed], flagged=flagged) == facts_of(frame, flagged=range(40, 50))


def test_rows_without_a_score_do_not_show_that_flags_have_ended():
    frame = station(DAY)
    rows = judged(frame)
    rows = replace(rows, score=np.where(np.arange(DAY) < 100, np.nan, 1.0))

    facts = day_facts(rows, timeline_from(frame, PLAIN), LIMITS, values_of(frame))

    assert [(each.rows, each.scored) for each in facts.machines] == [(DAY, 44)]


FLOW = ChannelRange("flow", 0.0, 1.0, 0.02)
KNOWN = replace(LIMITS, ranges=(FLOW,))


def farthest(frame):
    (track,) = facts_of(frame, limits=KNOWN).tracks
    (found,) = track.stretches
    return found.farthest


def test_how_far_out_a_channel_was_is_what_it_reached_for_five_hours():
    frame = station(DAY)
    frame.loc[20:, "flow"] = 3.0
    frame.loc[100:, "flow"] = 5.0
    assert (farthest(frame).value, farthest(frame).at.hour) == (5.0, 16)

    frame.loc[100:120, "flow"] = 3.0  # less than five hours are left
    assert (farthest(frame).value, farthest(frame).at.hour) == (3.0, 3)


def test_how_far_out_a_channel_was_depends_on_no_order_of_rows():
    frame = station(DAY)
    frame.loc[20:, "flow"] = 3.0
    frame.loc[100:, "flow"] = 5.0
    mixed = np.random.default_rng(1).permutation(DAY)

    assert facts_of(frame.iloc[mixed], limits=KNOWN) == facts_of(frame, limits=KNOWN)


def test_how_far_out_a_short_stretch_was_is_what_half_of_its_rows_reached():
    frame = out(station(DAY), 20, 39, "flow")
    frame.loc[20:31, "flow"] = 2.0

    assert farthest(frame).value == 2.0
    frame.loc[20:25, "flow"] = 9.0
    assert farthest(frame).value == 9.0


def test_how_far_out_a_channel_is_below_its_range_is_a_value_below_it():
    frame = station(DAY)
    frame.loc[20:, "flow"] = -0.123456

    assert farthest(frame).value == -0.1235  # four digits of the distance


def test_a_channel_without_a_known_range_is_out_by_nobody_knows_how_much():
    (track,) = facts_of(out(station(DAY), 20, DAY, "flow")).tracks

    assert [each.farthest for each in track.stretches] == [None]


def test_a_missing_value_is_not_far_out():
    frame = station(DAY)
    frame.loc[20:, "flow"] = 3.0
    values = values_of(frame)
    values.features[50:90, 1] = np.nan
    rows = judged(frame)

    (track,) = day_facts(rows, timeline_from(frame, PLAIN), KNOWN, values).tracks

    assert track.stretches[0].farthest.value == 3.0


def test_a_day_says_between_which_values_a_channel_was():
    frame = station(2 * DAY)
    frame["flow"] = np.concatenate([np.linspace(0, 1, DAY), np.linspace(2, 3, DAY)])
    frame["machine"] = np.repeat(["b", "a"], DAY)

    found = facts_of(frame, limits=KNOWN).machines

    assert [(each.machine, each.between) for each in found] == [
        ("a", (2.007, 2.993)), ("b", (0.007, 0.993)),
    ]  # fmt: skip


def test_what_lasts_minutes_does_not_widen_what_a_channel_was_between():
    frame = station(DAY)
    frame["flow"] = 0.5
    frame.loc[70, "flow"] = 9.0
    assert facts_of(frame, limits=KNOWN).machines[0].between == (0.5, 0.5)

    frame.loc[71, "flow"] = 9.0
    assert facts_of(frame, limits=KNOWN).machines[0].between == (0.5, 9.0)


def test_values_are_in_the_channels_own_units_to_four_digits_of_their_spread():
    columns = PLAIN.model_copy(
        update={
            "features": {
                **PLAIN.features,
                "flow": PLAIN.features["flow"].model_copy(update={"offset": 101325.0}),
            }
        }
    )
    frame = station(DAY, columns=columns)
    frame["flow_minus_101325"] = np.linspace(0, 0.02, DAY).astype("float32")
    limits = replace(LIMITS, ranges=(ChannelRange("flow", 101325.0, 101326.0, 0.02),))

    (machine,) = facts_of(frame, limits=limits, columns=columns).machines

    assert machine.between == (101325.00014, 101325.01986)


def test_a_machine_without_a_value_of_a_channel_says_so():
    frame = station(DAY)
    values = values_of(frame)
    values.features[:, 1] = np.nan

    facts = day_facts(judged(frame), timeline_from(frame, PLAIN), KNOWN, values)

    assert facts.machines[0].between == (None, None)


def test_a_plant_of_a_hundred_machines_with_fifty_channels_writes_less_than_100_kb_a_day():
    names = [f"c{number:02}" for number in range(50)]
    ranges = tuple(ChannelRange(name, 0.0, 1.0, 0.02) for name in names)
    columns = PLAIN.model_copy(update={"features": dict.fromkeys(names, PLAIN.features["flow"])})
    random = np.random.default_rng(1)
    time = pd.date_range(START, periods=24, freq="h", tz="UTC")
    frame = pd.DataFrame(
        (10 ** random.uniform(-3, 5, 50)) * random.uniform(0, 1, (2400, 50)), columns=names
    ).astype("float32")
    frame["timestamp"] = np.tile(time, 100)
    frame["machine"] = np.repeat([f"pump {number}" for number in range(100)], 24)
    quiet = replace(judged(station(2400)), shifts=nothing_shifted(2400, names))
    limits = replace(LIMITS, ranges=ranges)

    facts = day_facts(quiet, timeline_from(frame, columns), limits, values_of(frame, columns))

    assert len(facts.machines) == 100
    assert 40_000 < len(TypeAdapter(DayFacts).dump_json(facts)) < 100_000
