"""How the benchmark of broken thresholds counts, on few days of made scores."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lasting import broken_threshold
from benchmarks.lasting.broken_threshold import LivedWaves, MadeWaves, lived, occurrences, row
from pipeline.evaluation.flag_share import ShareOutside
from pipeline.utc_day import DAY_NS


def outside(day: float) -> ShareOutside:
    return ShareOutside(round(day * DAY_NS), DAY_NS, 0.5, 144, 15.0, 0.2)


def test_two_quiet_days_part_two_occurrences():
    found = [outside(day) for day in (1.0, 1.5, 3.25, 5.25, 6.0)]

    assert [(a.at_ns / DAY_NS, b.at_ns / DAY_NS) for a, b in occurrences(found)] == [
        (1.0, 3.25),
        (5.25, 6.0),
    ]
    assert list(occurrences([])) == []


def test_a_seed_counts_false_ones_and_the_hours_to_each_share(monkeypatch):
    monkeypatch.setattr(broken_threshold, "MONTHS_DAYS", 20)

    found = lived(MadeWaves(0.9), 1)

    assert found.false == 0
    assert all(6 < hours <= 24 for hours in found.hours[0.999])
    assert np.median(found.hours[0.5]) <= np.median(found.hours[0.12])


def test_what_is_not_told_is_said():
    hours = dict.fromkeys(broken_threshold.SHARES, (12.0, 15.0, None))

    shown = row(MadeWaves(0.9, machines=4), [LivedWaves(1, hours), LivedWaves(0, hours)])

    assert shown.startswith("| rho 0.9, 10 min, 90 days, 4 machines | 0.50 (worst seed 1) |")
    assert shown.count("15 (not told)") == len(broken_threshold.SHARES)


@pytest.mark.parametrize("setting", broken_threshold.SETTINGS)
def test_each_setting_has_rows_of_all_machines_in_order(setting):
    timeline = setting.timeline(2)

    assert len(timeline) == 2 * setting.rows_a_day * setting.machines
    assert timeline.days == 2
