from datetime import timedelta

import numpy as np
import pandas as pd

from pipeline.incidents.joining import joined
from pipeline.incidents.parts import day_parts, largest_gaps, reach
from tests.builders import make_spec
from tests.incidents.made import DAY, judged, part, timeline_of

HOUR, EIGHT_HOURS = pd.Timedelta("1h"), pd.Timedelta("8h")


def parts_of(rows, timeline):
    return day_parts(rows, timeline, 7, HOUR, EIGHT_HOURS)


def every(minutes, n):
    return [DAY + pd.Timedelta(minutes=minutes * k) for k in range(n)]


def test_five_hundred_flags_within_ten_minutes_are_one_part():
    times = [DAY + pd.Timedelta(seconds=1.2 * k) for k in range(500)]

    (part,) = parts_of(judged(np.linspace(1.1, 3, 500)), timeline_of(times))

    assert (part.kind, part.rows, part.version) == ("anomaly", 500, 7)
    assert part.end - part.start < pd.Timedelta("10min")


def test_flags_of_two_machines_are_two_parts():
    timeline = timeline_of([DAY, DAY], ["a", "b"])

    parts = parts_of(judged([2.0, 2.0]), timeline)

    assert [part.entity for part in parts] == ["a", "b"]


def test_flags_further_apart_than_the_gap_are_two_parts():
    times = [DAY, DAY + HOUR, DAY + 2 * HOUR + pd.Timedelta("1s")]

    parts = parts_of(judged([2.0, 2.0, 2.0]), timeline_of(times))

    assert [part.rows for part in parts] == [2, 1]


def test_the_order_of_rows_does_not_matter():
    times, excess = every(10, 12), np.array([2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 2.0])
    order = np.random.default_rng(0).permutation(12)

    shuffled = parts_of(judged(excess[order]), timeline_of([times[k] for k in order]))

    assert shuffled == parts_of(judged(excess), timeline_of(times))


def test_the_peak_is_the_highest_score_over_its_threshold_and_when():
    (part,) = parts_of(judged([1.5, 4.0, 4.0, 2.0]), timeline_of(every(10, 4)))

    assert part.peak == 4.0
    assert part.peak_at == DAY + pd.Timedelta("10min")


def test_the_whole_episode_says_which_channel_is_to_blame():
    found = np.array([[1.0, 9.0, 0.0], [8.0, 1.0, 0.0], [8.0, 1.0, 0.0]])

    (part,) = parts_of(judged([2.0, 2.0, 2.0], found=found), timeline_of(every(10, 3)))

    assert [each.channel for each in part.features] == ["flow", "pressure", "angle"]
    assert part.features[0].times_usual == 17 / 3


def test_a_moved_channel_is_a_part_of_its_own_that_names_it():
    moved = np.zeros((6, 3), dtype=bool)
    moved[2:, 1] = True
    strength = np.where(moved, 30.0, 1.0)

    (part,) = parts_of(judged([0.5] * 6, moved=moved, strength=strength), timeline_of(every(10, 6)))

    assert (part.kind, part.rows) == ("shifted feature", 4)
    assert part.features == (("pressure", 30.0),)
    assert part.peak == 0.5


def test_a_new_regime_is_one_part_however_many_channels_moved():
    regime = np.array([False, True, True, True])
    strength = np.tile([3.0, 9.0, 0.0], (4, 1))

    (part,) = parts_of(
        judged([0.5] * 4, regime=regime, strength=strength), timeline_of(every(10, 4))
    )

    assert (part.kind, part.rows) == ("new regime", 3)
    assert part.features[0].channel == "pressure"


def test_rows_without_a_score_can_be_in_a_shift_and_have_no_peak():
    moved = np.ones((2, 3), dtype=bool)

    parts = parts_of(judged([np.nan, np.nan], moved=moved), timeline_of(every(10, 2)))

    assert [part.peak for part in parts] == [0.0] * 3


def test_neighbouring_rows_belong_together_whatever_the_gap_says():
    columns = make_spec(schema={"cadence": "1d"}).columns

    assert reach(timedelta(hours=1), columns) == pd.Timedelta("36h")
    assert reach(timedelta(days=3), columns) == pd.Timedelta("3d")


def test_a_channel_that_is_out_by_day_and_in_by_night_is_told_once() -> None:
    flags, shifts = largest_gaps(make_spec())
    days = pd.date_range("2024-03-01T08:00", periods=35, freq="1D")
    excursions = [
        part(str(day), str(day + pd.Timedelta("8h")), kind="shifted feature") for day in days
    ]

    assert len(joined(excursions, flags, shifts)) == 1
    assert len(joined(excursions[::4], flags, shifts)) == 9


def test_a_channel_that_failed_is_a_data_fault_of_its_own_kind_and_nothing_else():
    failing = np.zeros((4, 3), dtype=bool)
    failing[1:, 1] = True

    (found,) = parts_of(judged(np.zeros(4), failing=failing), timeline_of(every(10, 4)))

    assert (found.kind, found.rows, found.peak) == ("data fault", 3, 0.0)
    assert [each.channel for each in found.features] == ["pressure"]
    assert found.start == DAY + pd.Timedelta("10min")
