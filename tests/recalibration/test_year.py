"""One simulated year of each case that the benchmark measures on fifty."""

import pytest

from benchmarks.operation.opponents import unflagged
from benchmarks.operation.simulate import Setting
from benchmarks.operation.year import live, live_by
from pipeline.config import Recalibration

LIMITS = Recalibration()


@pytest.mark.parametrize("audit", [0.0, 0.2])
def test_the_rate_stays_in_its_band_for_a_year_while_scores_grow(audit):
    year = live(Setting(rho=0.9, growth=1.1, audit=audit), 0, LIMITS)

    assert 0.0075 <= year.rate[-1] <= 0.015
    assert {name for names in year.stopped for name in names} <= {"total", "step", "degradation"}


def test_refitting_on_unflagged_rows_lowers_the_threshold_month_by_month():
    assert live_by(unflagged, Setting(rho=0.9), 0) > 0.1


def test_poison_never_moves_the_live_threshold_beyond_the_bound():
    year = live(Setting(poison=0.02, rows=5000), 0, LIMITS, answer=False)

    assert year.threshold.max() <= 1 + LIMITS.maximum_total
