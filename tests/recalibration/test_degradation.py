from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.recalibration.degradation import degradation, frozen_levels
from tests.recalibration.window import scores

CADENCE_NS = 600_000_000_000
A_DAY = 144
FIRST_NS = 16_071 * 86_400_000_000_000  # 2014-01-01


def days(count: int, per_day: int = A_DAY) -> Timeline:
    time = FIRST_NS + np.arange(count * per_day) * CADENCE_NS * (A_DAY // per_day)
    return Timeline(time, np.zeros(len(time), dtype=np.intp), ("",), CADENCE_NS)


def judged(score: np.ndarray, reference: np.ndarray, counted: np.ndarray | None = None):
    timeline = days(len(score) // A_DAY)
    levels = frozen_levels(reference, days(len(reference) // A_DAY))
    everything = np.ones(len(score), dtype=bool)
    return degradation(score, everything if counted is None else counted, timeline, levels)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_scores_that_stay_alike_are_not_called_in_three_years(rho: float) -> None:
    called = [
        judged(scores(1095 * A_DAY, seed, rho), scores(30 * A_DAY, 100 + seed, rho)) is not None
        for seed in range(10)
    ]

    assert sum(called) <= 1


def test_slow_growth_of_all_scores_is_called_with_its_days() -> None:
    score = scores(300 * A_DAY, 1, 0.9)
    month = np.arange(len(score)) / (30 * A_DAY)
    grown = score * 1.6 ** np.clip((month - 4) / 3, 0, 1)

    found = judged(grown, scores(30 * A_DAY, 2, 0.9))

    assert found is not None
    assert date(2014, 5, 1) <= found.since <= found.called <= date(2014, 9, 15)
    assert found.share > 1.2 * found.level.share


def test_some_rows_that_become_much_higher_are_called() -> None:
    random = np.random.default_rng(3)
    score = scores(500 * A_DAY, 3, 0.9)
    hit = (random.random(len(score)) < 0.1) & (np.arange(len(score)) > 100 * A_DAY)

    assert judged(np.where(hit, 4 * score, score), scores(30 * A_DAY, 4, 0.9)) is not None


def test_rows_that_do_not_count_are_no_evidence() -> None:
    score = scores(200 * A_DAY, 5)
    later = np.arange(len(score)) > 100 * A_DAY
    grown = np.where(later, 2 * score, score)

    assert judged(grown, scores(30 * A_DAY, 6)) is not None
    assert judged(grown, scores(30 * A_DAY, 6), counted=~later) is None


def test_a_short_accepted_state_allows_more() -> None:
    few, many = (frozen_levels(scores(n * A_DAY, 7, 0.9), days(n)) for n in (5, 60))

    assert all(a.share > b.share for a, b in zip(few, many, strict=True))
    assert many[0].share > 0.1
    assert many[1].share > 0.01


def test_without_a_day_there_is_no_call() -> None:
    assert judged(scores(0), scores(30 * A_DAY)) is None


def test_scores_a_third_higher_are_called_in_two_weeks_and_not_within_days() -> None:
    """A thousand days to a false call: fewer call sooner, more make it wait longer."""
    score = scores(140 * A_DAY, 8)
    grown = np.where(np.arange(len(score)) >= 100 * A_DAY, 1.3 * score, score)

    found = judged(grown, scores(30 * A_DAY, 9))

    assert found is not None
    assert 10 <= (found.called - date(2014, 4, 11)).days <= 20
