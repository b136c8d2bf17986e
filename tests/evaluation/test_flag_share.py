"""Which shares of flagged rows a threshold does not promise, and which are faults of machines."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.evaluation.flag_share import lasting, most_promised, risen_since, shares_outside
from pipeline.evaluation.rate import agreeing_rates
from pipeline.utc_day import DAY_NS
from tests.builders import ESTIMATE

HOUR_NS = DAY_NS // 24
A_DAY = 144  # rows of ten minutes
DAYS = 12
ONSET = 7 * A_DAY
PROMISE = replace(ESTIMATE, n=8640, n_effective=900)  # as rows whose scores correlate by 0.9


def plant(machines=1, days=DAYS):
    """The timeline of rows of ten minutes by machine, and an array of flags to mark in."""
    n = days * A_DAY
    names = tuple(f"m{i}" for i in range(machines)) if machines > 1 else ("",)
    time = np.arange(n, dtype=np.int64) * (DAY_NS // A_DAY)
    entity = np.repeat(np.arange(machines), n).astype(np.intp)
    flags = np.zeros((machines, n), dtype=bool)
    flags[:, ::100] = True  # one in a hundred, as promised
    return Timeline(np.tile(time, machines), entity, names, DAY_NS // A_DAY), flags


def found(timeline, flags, promise=PROMISE, *, end=DAYS * DAY_NS):
    return list(shares_outside(flags.ravel(), timeline, promise, first_ns=0, end_ns=end))


def in_fragments(flags, share, first=ONSET, last=None):
    """Flag so much of each three hours from the onset on."""
    for start in range(first, last or flags.shape[1], 18):
        flags[:, start : start + round(18 * share)] = True


def hours_after_onset(outside):
    return (outside[0].at_ns - 7 * DAY_NS) / HOUR_NS


def test_flags_as_promised_are_inside():
    assert found(*plant()) == []


@pytest.mark.parametrize("machines", [1, 2, 4, 20])
def test_a_share_that_jumps_to_a_half_is_told_within_twelve_hours(machines):
    timeline, flags = plant(machines)
    in_fragments(flags, 0.5)

    assert hours_after_onset(found(timeline, flags)) <= 12


def test_it_says_since_when_and_what_was_promised():
    timeline, flags = plant()
    in_fragments(flags, 0.5)

    first = found(timeline, flags)[0]

    since = risen_since(flags.ravel(), timeline, PROMISE, at_ns=first.at_ns)
    assert 0 <= 7 * DAY_NS - since <= 2 * HOUR_NS  # a flag just before may belong to it
    assert first.share > first.most > PROMISE.alpha
    worth = PROMISE.n_effective / PROMISE.n
    assert first.rows_effective == pytest.approx(first.rows * worth)
    assert first.most == agreeing_rates(PROMISE, first.rows_effective, sure=0.995)[1]


def test_a_smaller_rise_is_told_once_a_longer_span_shows_it():
    timeline, flags = plant()
    in_fragments(flags, 1 / 6)

    assert 12 < hours_after_onset(found(timeline, flags)) <= 72


def test_one_incident_of_a_single_machine_is_none():
    timeline, flags = plant()
    flags[:, ONSET : ONSET + 36] = True  # six hours

    assert found(timeline, flags) == []


def test_of_an_unbroken_episode_only_the_first_six_hours_are_one_incident():
    timeline, flags = plant()
    flags[:, ONSET:] = True

    assert 6 < hours_after_onset(found(timeline, flags)) <= 12


def test_flags_an_hour_apart_are_one_incident_whatever_the_cadence():
    timeline, flags = plant()
    in_a_half_hour = np.flatnonzero(np.arange(36) % 6 < 3)  # 40 minutes from one to the next
    flags[:, ONSET + in_a_half_hour] = True

    assert found(timeline, flags) == []


def test_one_machine_of_three_may_fail_for_days():
    timeline, flags = plant(3)
    flags[1, ONSET:] = True
    assert found(timeline, flags) == []

    flags[2, ONSET:] = True  # two of three are the plant
    assert found(timeline, flags) != []


def test_of_twenty_machines_two_may_fail():
    timeline, flags = plant(20)
    flags[4:6, ONSET:] = True

    assert found(timeline, flags) == []


def test_an_outage_of_the_whole_plant_for_some_hours_is_none():
    timeline, flags = plant(4)
    flags[:, ONSET : ONSET + 30] = True

    assert found(timeline, flags) == []


def test_what_few_calibration_rows_promise_is_believed_for_longer():
    timeline, flags = plant()
    in_fragments(flags, 0.5)
    few = replace(ESTIMATE, n=1440, n_effective=49)

    assert hours_after_onset(found(timeline, flags, few)) > hours_after_onset(
        found(timeline, flags)
    )


def test_rows_after_the_end_are_not_counted():
    timeline, flags = plant()
    in_fragments(flags, 0.9)

    assert found(timeline, flags, end=7 * DAY_NS) == []


def test_rows_in_any_order_and_long_gaps_give_the_same_shares():
    timeline, flags = plant()
    in_fragments(flags, 0.5)
    order = np.random.default_rng(1).permutation(len(timeline))
    mixed = Timeline(timeline.time_ns[order], timeline.entity, timeline.names, timeline.cadence_ns)

    assert found(mixed, flags.ravel()[order]) == found(timeline, flags)


def test_what_is_over_for_two_days_is_no_more():
    timeline, flags = plant()
    in_fragments(flags, 0.5, last=ONSET + A_DAY)
    outside = found(timeline, flags)

    last = outside[-1].at_ns
    assert last < 9 * DAY_NS  # the spans of three and seven days end with the newest one
    assert lasting(outside, last + 2 * DAY_NS - 1) == tuple(outside)
    assert lasting(outside, last + 2 * DAY_NS) == ()


def test_what_comes_again_after_two_days_is_another_time():
    timeline, flags = plant(days=20)
    in_fragments(flags, 0.5, last=ONSET + A_DAY)
    in_fragments(flags, 0.5, first=14 * A_DAY)
    outside = found(timeline, flags, end=20 * DAY_NS)

    held = lasting(outside, 20 * DAY_NS)

    since = risen_since(flags.ravel(), timeline, PROMISE, at_ns=held[0].at_ns)
    assert 14 * DAY_NS - since <= 3 * HOUR_NS
    assert 0 < len(held) < len(outside)


def test_a_share_that_is_near_the_promise_is_none_however_many_rows_show_it():
    sure = replace(ESTIMATE, n=1_000_000, n_effective=1_000_000)

    assert most_promised(29_000, 1_000_000, sure) is None
    assert most_promised(31_000, 1_000_000, sure) == pytest.approx(0.01, rel=0.05)
    assert most_promised(0, 0, sure) is None


def test_a_few_rows_of_a_threshold_from_few_rows_say_nothing():
    few = replace(ESTIMATE, n=1440, n_effective=49)

    assert most_promised(20, 20, few) is None
