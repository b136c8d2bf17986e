"""The facts of a day: from scored rows, whatever is muted and whoever has decided."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from pipeline.cases import CaseLimits, day_facts
from pipeline.config import Shifts
from pipeline.data.timeline import timeline_from
from pipeline.incidents.judging import FlaggedRows
from tests.cases.made import after
from tests.station import PLAIN, decision, nothing_out, ranged, shifts_in, station

LIMITS = CaseLimits(timedelta(hours=16), longest=5, join_rows=2, ranges=())
DAY = 144  # rows


def judged(frame, flagged=(), unmuted=None, decisions=()):
    n = len(frame)
    marks = np.isin(np.arange(n), list(flagged))
    bare = marks if unmuted is None else np.isin(np.arange(n), list(unmuted))
    nothing = np.zeros((n, 5))
    shifts = shifts_in(frame, ranged(), PLAIN, Shifts(), decisions)
    whole = np.zeros(n, dtype=bool)
    return FlaggedRows(
        np.ones(n), np.ones(n), marks, bare, shifts, nothing, nothing, whole, nothing.astype(bool)
    )


def facts_of(frame, **given):
    return day_facts(judged(frame, **given), timeline_from(frame, PLAIN), LIMITS)


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

    assert day_facts(rows, timeline_from(frame, columns), LIMITS).tracks == ()


def test_rows_that_lack_a_channel_are_told_as_such():
    frame = station(DAY)
    rows = judged(frame)
    raw = nothing_out(DAY, 5)
    raw.measured[:100, 1] = False
    rows = replace(rows, shifts=replace(rows.shifts, raw=raw))

    (track,) = day_facts(rows, timeline_from(frame, PLAIN), LIMITS).tracks

    assert (track.channel, track.rows, track.stretches) == ("flow", 44, ())


def test_rows_may_come_in_any_order():
    frame = out(station(DAY), 20, DAY, "flow")
    mixed = np.random.default_rng(1).permutation(DAY)
    flagged = np.flatnonzero(np.isin(mixed, range(40, 50)))

    assert facts_of(frame.iloc[mixed], flagged=flagged) == facts_of(frame, flagged=range(40, 50))


def test_rows_without_a_score_do_not_show_that_flags_have_ended():
    rows = judged(station(DAY))
    rows = replace(rows, score=np.where(np.arange(DAY) < 100, np.nan, 1.0))

    facts = day_facts(rows, timeline_from(station(DAY), PLAIN), LIMITS)

    assert [(each.rows, each.scored) for each in facts.machines] == [(DAY, 44)]
