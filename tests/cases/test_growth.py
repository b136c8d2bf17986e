"""How a shift grows: what a case remembers of it, and each doubling once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.cases import ChannelRange, doublings
from pipeline.cases.records import Departure
from tests.cases.made import FLOW, at, case, facts, grown, shift, stretch, told


def doubled(*values, accepted=None):
    """Day, value and times of each doubling of the flow, whose range is 0 to 10."""
    (record,) = told(*grown(*values))
    return [
        (each.at.day - 1, each.value, None if each.times is None else round(each.times, 2))
        for each in doublings(record, accepted)
    ]


def test_a_shift_is_told_at_each_doubling_of_its_distance():
    assert doubled(15, 19, 20, 26, 30, 30, 49, 50) == [(2, 20, 2), (4, 30, 2), (7, 50, 2)]


def test_a_jump_over_several_doublings_is_told_once():
    assert doubled(15, 15, 58, 58, 60) == [(2, 58, 9.6)]


def test_below_the_range_the_same_is_told():
    assert doubled(-5, -9, -10, -21) == [(2, -10, 2), (3, -21, 2.1)]


def test_what_declines_and_comes_back_is_not_told_again():
    assert doubled(15, 30, 12, 30, 34, 11, 39) == [(1, 30, 4)]


def test_half_outside_at_both_ends_is_no_growth():
    assert doubled(15, -5, 15, -6, 16) == []


def test_a_creep_from_the_edge_is_told_when_it_can_be_seen():
    creep = [10.21 + 0.05 * day for day in range(400)]

    # A whole range outside, and not at 0.4, 0.8, 1.6, 3.2 and 6.4.
    assert [value for _, value, _ in doubled(*creep)] == pytest.approx([20, 30], abs=0.1)
    assert [round(times) for _, _, times in doubled(*creep)] == [48, 2]


def test_a_case_stays_small_however_long_it_creeps():
    (record,) = told(*grown(*(11 + 0.5 * day for day in range(400))))

    assert len(record.departures) < 8 * 8
    assert len(doublings(record)) == 5


def test_what_lasts_no_hours_is_no_growth():
    brief = stretch(1, 10, 12, opens=False, farthest=Departure(at(1, 10), 90.0))
    (record,) = told(*grown(15), facts(shift(brief)), *grown(15, 15, 16)[2:])

    assert (record.start, doublings(record)) == (at(0), ())


def test_the_distance_is_from_the_range_that_the_case_remembers():
    wider = (ChannelRange("flow", -30.0, 30.0, 1.2),)
    days = grown(15, 16, 36)
    (record,) = told(*days[:2], replace(days[2], ranges=wider))

    assert [each.times for each in doublings(record)] == [5.2]


def test_a_range_without_width_has_doublings_too():
    still = (ChannelRange("flow", 10.0, 10.0, 0.0),)
    (record,) = told(*(replace(each, ranges=still) for each in grown(10.5, 10.9, 11, 13)))

    assert [(each.value, each.times) for each in doublings(record)] == [(11, 2), (13, 3)]


def test_what_was_called_normal_is_outgrown_at_twice_its_distance():
    # Told at 5 and again at 10; at 18 somebody said that this is normal.
    values = (15, 20, 28, 40, 45, 50, 91)

    assert doubled(*values) == [(1, 20, 2), (3, 40, 3), (6, 91, 2.7)]
    assert doubled(*values, accepted=at(2, 23)) == [(5, 50, 2.22), (6, 91, 2.02)]


def test_what_was_called_normal_is_outgrown_at_the_other_end_too():
    assert doubled(15, 15, -9, -11, -33, accepted=at(1)) == [(3, -11, None), (4, -33, 3)]
    assert doubled(15, -16, 15, -16, accepted=at(1)) == []


def test_a_case_of_an_earlier_release_is_measured_from_its_first_departure_on():
    (record,) = told(*grown(60, 60, 115))
    later = replace(record, departures=record.departures[:1])

    assert doublings(replace(later, departures=(Departure(at(1), 60.0),)), at(0)) == ()
    assert [each.value for each in doublings(record, at(-1))] == [115]


def test_another_kind_of_case_has_no_doublings():
    assert doublings(case(kind="episode", ranges=(FLOW,))) == ()
    assert doublings(case()) == ()
