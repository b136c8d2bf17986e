from datetime import date, timedelta

import numpy as np
import pytest

from pipeline.config import Recalibration
from pipeline.recalibration import Anchor
from pipeline.recalibration.bounds import moves, raised, stops
from pipeline.recalibration.levels import Levels
from tests.recalibration.window import THRESHOLD, estimate, recalibrated, scores, window

START = date(2014, 1, 1)
LIMITS = Recalibration()


def found(new, current, *, anchor=1.0, level=1.0, growth=None, day=START, answered=False):
    at = Anchor(anchor, 1.0, START, moved=START)
    moved = moves(new, current, at, Levels(np.ones(1), level, 1.0, growth), day)
    crossed = stops(moved, new, current, at, day, LIMITS, growth_accepted=answered)
    return {stop.name: stop for stop in crossed}


def test_a_large_step_outside_the_interval_stops():
    stop = found(estimate(1.3), estimate(1.0))["step"]

    assert stop.value == pytest.approx(0.3)
    assert stop.limit == 0.2
    assert "from 1 to 1.3" in stop.reason


@pytest.mark.parametrize(
    ("new", "current"),
    [
        (estimate(1.3, (0.7, 1.4)), estimate(1.0)),  # it may well lie where the old one did
        (estimate(1.3), estimate(1.0, (0.7, 1.4))),  # so may the old one
        (estimate(1.3, (None, None)), estimate(1.0)),  # not known at all
        (estimate(1.19, (0.99, 1.01)), estimate(1.0, (0.99, 1.01))),  # certain, and small
        (estimate(1 / 1.19, (0.99, 1.01)), estimate(1.0, (0.99, 1.01))),
    ],
)
def test_a_step_that_chance_explains_or_that_is_small_does_not_stop(new, current):
    assert "step" not in found(new, current)


@pytest.mark.parametrize(
    ("value", "stopped"), [(1.49, False), (1.51, True), (0.68, False), (0.65, True)]
)
def test_the_total_stops_however_wide_the_interval(value, stopped):
    wide = (0.1, 10.0)

    assert ("total" in found(estimate(value, wide), estimate(value, wide))) == stopped


@pytest.mark.parametrize(
    ("growth", "day", "stopped"),
    [
        (1.19, date(2014, 2, 28), True),
        (1.10, date(2014, 2, 28), False),
        (1.10, date(2014, 12, 30), False),
        (1.19, date(2014, 1, 30), False),  # one month is not enough
        (1 / 1.19, date(2014, 2, 28), False),  # falling scores hide no fault
    ],
)
def test_growth_of_the_level_is_creep_from_the_second_month_on(growth, day, stopped):
    months = (day - START).days / 30

    assert (
        "creep" in found(estimate(1.0), estimate(1.0), level=growth**months, day=day)
    ) == stopped


def test_creep_is_stopped_and_shown_by_the_second_month_where_neighbours_are_alike():
    reference = scores(5000, seed=99, rho=0.9)
    for seed in range(5):
        score = scores(40_000, seed, rho=0.9) * np.repeat([1.19, 1.19**2], 20_000)

        names = {stop.name for stop in recalibrated(window(score), reference=reference).stops}

        assert "creep" in names, seed


@pytest.mark.parametrize(("factor", "asked"), [(1.6, {"step"}), (1 / 1.6, {"step", "total"})])
def test_growth_that_a_person_has_called_normal_is_asked_about_by_a_large_step_alone(factor, asked):
    day = START + timedelta(days=60)
    new = estimate(factor)

    assert "total" in found(new, estimate(1.0), level=factor, day=day)
    assert set(found(new, estimate(1.0), level=factor, day=day, answered=True)) == asked


def test_growth_after_two_quiet_years_is_seen_in_its_third_month():
    """On average since the anchor it is 2 % a month by then."""
    day = START + timedelta(days=27 * 30)

    grown = found(estimate(1.0), estimate(1.0), level=1.19**3, growth=0.19, day=day)

    assert "over the last three months" in grown["creep"].reason
    assert "creep" not in found(estimate(1.0), estimate(1.0), level=1.19**3, day=day)


def test_a_stop_leaves_the_live_threshold_alone_and_still_shows_the_new_one():
    current = estimate(THRESHOLD)

    result = recalibrated(window(2 * scores(20_000)), current=current)

    assert {stop.name for stop in result.stops} == {"step", "total", "degradation"}
    assert result.threshold.value == pytest.approx(2 * THRESHOLD, rel=0.05)
    assert current.value == THRESHOLD


@pytest.mark.parametrize(("value", "told"), [(1.09, False), (1.12, True), (0.8, False)])
def test_a_raise_of_more_than_a_tenth_since_the_accepted_state_is_told(value, told):
    at = Anchor(1.0, 1.0, START, moved=START)
    moved = moves(estimate(value), estimate(1.0), at, Levels(np.ones(1), 1.0, 1.0, None), START)

    assert ("has risen by 12%" in raised(moved, at)) == told
