"""One seed of what `make bench-lasting` measures on many."""

import numpy as np

from benchmarks.lasting.intervals import cell_named, coverage
from benchmarks.lasting.months import Course, SlowFault
from benchmarks.lasting.recalibration import LONG_WEAK, lived
from benchmarks.lasting.slow_fault import calls, found


def test_the_interval_of_a_slow_wave_holds_where_that_of_the_next_row_does_not() -> None:
    result = coverage(cell_named("50 % slow wave 0.99, 20,000 rows"), trials=30)

    assert result.held >= 0.9 * 30
    assert result.held_before < 0.8 * 30


def test_long_weak_outages_neither_lower_the_threshold_nor_hide() -> None:
    served = lived(LONG_WEAK, seed=301)

    assert 0.004 < np.mean(served.rate[24:]) < 0.018
    assert served.caught > 0.2


def test_a_slow_fault_is_told_before_the_threshold_has_followed_it() -> None:
    course = Course("x 2", fault=SlowFault(start=18, ramp=3, factor=2.0))

    trial = found(course, 302, lived(Course("without"), 302))

    assert trial.told is not None
    assert trial.in_time


def test_without_a_fault_hardly_anything_is_told() -> None:
    assert calls(lived(Course("without", rho=0.0), seed=303)) <= 1
