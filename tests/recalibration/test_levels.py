import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.recalibration.levels import levels, months
from tests.recalibration.window import scores, timeline_of

N = 20_000


def of(score):
    return levels(score, timeline_of(len(score)), np.ones(len(score), dtype=bool), align=True)


def test_months_count_back_from_the_newest_and_a_short_rest_joins_the_oldest():
    month = months(timeline_of(round(3.3 * N)))

    assert month[-1] == 0
    assert month[0] == 2
    assert month[np.arange(len(month)) > 0.3 * N].max() == 2


def test_steady_growth_is_known_better_than_the_newest_month_alone_knows_it():
    few, year = 2000, timeline_of(12 * 2000)
    timeline = Timeline(year.time_ns[0] + 10 * (year.time_ns - year.time_ns[0]), year.entity, ("",),
                    10 * year.cadence_ns)  # fmt: skip
    growth = np.repeat(1.05 ** np.arange(12), few)
    known, alone = [], []
    for seed in range(40):
        score = scores(len(timeline), seed, rho=0.9) * growth
        known.append(levels(score, timeline, np.ones(len(timeline), dtype=bool), align=True).newest)
        alone.append(float(np.median(score[-few:])))

    assert np.mean(np.log(known)) == pytest.approx(11 * np.log(1.05), abs=0.03)
    assert np.std(np.log(known)) < 0.75 * np.std(np.log(alone))


def test_a_level_that_jumps_is_followed_at_once():
    jump = np.repeat([1.0, 1.0, 1.0, 1.0, 1.0, 1.4], N)

    assert of(scores(6 * N) * jump).newest == pytest.approx(1.4, rel=0.03)


def test_growth_is_that_of_the_last_three_months():
    course = np.repeat([1.0, 1.0, 1.0, 1.0, 1.2, 1.2**2, 1.2**3], N)

    assert of(scores(7 * N) * course).growth == pytest.approx(0.2, abs=0.02)
    assert of(scores(3 * N)).growth is None


def test_rows_that_do_not_count_leave_the_level_alone():
    score = scores(2 * N)
    counted = np.ones(2 * N, dtype=bool)
    counted[N : N + 9000] = False
    score[~counted] *= 50

    assert levels(score, timeline_of(2 * N), counted, align=True).newest == pytest.approx(
        1, rel=0.05
    )


def test_every_row_is_brought_to_the_newest_level():
    growth = np.repeat([1.0, 2.0], N)

    factor = of(scores(2 * N) * growth).factor

    assert factor[0] == pytest.approx(2, rel=0.03)
    assert set(factor[N:]) == {1.0}
