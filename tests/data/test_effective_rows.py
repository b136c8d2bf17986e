from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.coverage import conformal_rank, rate_interval
from pipeline.utc_day import DAY_NS

MINUTES_10 = 600_000_000_000
A_DAY = 144
ALPHA = 0.01


def ticks(places: np.ndarray, machines: int = 1) -> Timeline:
    """Rows of each machine at the same multiples of ten minutes, machine by machine."""
    return Timeline(
        time_ns=np.tile(places.astype(np.int64) * MINUTES_10, machines),
        entity=np.repeat(np.arange(machines, dtype=np.intp), len(places)),
        names=tuple("ABCD"[:machines]),
        cadence_ns=MINUTES_10,
    )


def wave(random: np.random.Generator, rho: float, n: int) -> np.ndarray:
    """Unit variance; the correlation of a row with the next one is rho."""
    news = random.standard_normal(n + 2000) * np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], news)[2000:]


def slow_wave_under_noise(random: np.random.Generator) -> tuple[np.ndarray, Timeline]:
    n = 4000
    values = np.sqrt(0.3) * wave(random, 0.99, n) + np.sqrt(0.7) * random.standard_normal(n)
    return values, ticks(np.arange(n))


def days_with_a_level(random: np.random.Generator) -> tuple[np.ndarray, Timeline]:
    """Every sixth day, as a calibration block has them."""
    days = np.arange(20)
    places = (days[:, None] * 6 * A_DAY + np.arange(A_DAY)).ravel()
    level = np.repeat(random.standard_normal(len(days)), A_DAY)
    values = np.sqrt(0.4) * level + np.sqrt(0.6) * random.standard_normal(len(places))
    return values, ticks(places)


def machines_under_one_weather(random: np.random.Generator) -> tuple[np.ndarray, Timeline]:
    n = 2000
    weather = wave(random, 0.98, n)
    each = [np.sqrt(0.3) * weather + np.sqrt(0.7) * random.standard_normal(n) for _ in range(4)]
    return np.concatenate(each), ticks(np.arange(n), machines=4)


@pytest.mark.parametrize(
    "sampled", [slow_wave_under_noise, days_with_a_level, machines_under_one_weather]
)
def test_the_rate_interval_holds_the_true_rate_of_waves_that_hide_from_the_next_row(
    sampled: Callable[[np.random.Generator], tuple[np.ndarray, Timeline]],
) -> None:
    random = np.random.default_rng(11)
    held = 0
    for _ in range(60):
        values, timeline = sampled(random)
        n = len(values)
        rank = conformal_rank(n, ALPHA)
        true = float(norm.sf(np.sort(values)[rank - 1]))
        low, high = rate_interval((n + 1 - rank) / (n + 1), effective_rows(values, timeline))
        held += low <= true <= high

    assert held >= 0.9 * 60


def test_independent_rows_count_in_full() -> None:
    random = np.random.default_rng(12)
    worth = [
        effective_rows(random.standard_normal(3000), ticks(np.arange(3000))) for _ in range(40)
    ]

    assert np.median(worth) == 3000
    assert min(worth) > 1000


def test_waves_of_first_order_are_worth_more_than_their_correlation_says() -> None:
    """A share above a high level correlates less than the values do (rho 0.9: n / 19 before)."""
    random = np.random.default_rng(13)
    worth = [effective_rows(wave(random, 0.9, 20_000), ticks(np.arange(20_000))) for _ in range(10)]

    assert 1.5 * 20_000 / 19 < np.median(worth) < 5 * 20_000 / 19


def test_machines_that_move_as_one_are_worth_one() -> None:
    one = np.random.default_rng(14).standard_normal(1000)

    worth = effective_rows(np.tile(one, 4), ticks(np.arange(1000), machines=4))

    assert worth == pytest.approx(1000, rel=0.1)


def test_a_long_gap_takes_neither_memory_nor_correlation() -> None:
    """A cadence of ten minutes over a century is five million places; both halves are one wave."""
    values = wave(np.random.default_rng(15), 0.9, 4000)
    together = effective_rows(values, ticks(np.arange(4000)))
    places = np.concatenate([np.arange(2000), np.arange(2000) + 100 * 365 * A_DAY])

    assert effective_rows(values, ticks(places)) == pytest.approx(together, rel=0.05)


def test_rows_in_any_order_are_worth_the_same() -> None:
    random = np.random.default_rng(16)
    values, timeline = machines_under_one_weather(random)
    order = random.permutation(len(values))
    shuffled = Timeline(
        timeline.time_ns[order], timeline.entity[order], timeline.names, timeline.cadence_ns
    )

    assert effective_rows(values[order], shuffled) == pytest.approx(
        effective_rows(values, timeline)
    )


@pytest.mark.parametrize("n", [0, 1, 5, 29])
def test_few_rows_are_taken_as_they_are(n: int) -> None:
    assert effective_rows(np.ones(n), ticks(np.arange(n))) == n


def test_equal_values_cannot_correlate() -> None:
    assert effective_rows(np.ones(500), ticks(np.arange(500))) == 500


def test_batches_are_days_of_all_machines() -> None:
    """Flags that fall on whole days of all machines are worth as many rows as there are days."""
    places = np.arange(30 * A_DAY)
    bad = np.isin(places * MINUTES_10 // DAY_NS, [3, 11, 20, 27])
    values = np.tile(bad.astype(float), 4) + np.random.default_rng(17).uniform(0, 0.1, 4 * len(bad))

    assert effective_rows(values, ticks(places, machines=4)) < 3 * 30


def test_rows_hours_apart_that_move_by_day_are_worth_their_days() -> None:
    """Every sixth day, every second hour: no two rows are near enough for a wave to be found."""
    random = np.random.default_rng(18)
    places = (np.arange(40)[:, None] * 6 * A_DAY + np.arange(0, A_DAY, 12)).ravel()
    values = 2 * np.repeat(random.standard_normal(40), 12) + random.standard_normal(len(places))

    assert effective_rows(values, ticks(places)) < 3 * 40
