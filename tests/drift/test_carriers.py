"""Which channels and machines carry a rise of the score."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.drift.carriers import (
    Carriers,
    ScoredTimeline,
    carrying_channels,
    carrying_machines,
)

NAMES = ("power", "heat", "oil", "flow", "turns", "shaking", "speed")
HOUR = 3_600_000_000_000


def channels(*growth: float) -> tuple[str, ...]:
    before = np.linspace(0.1, 2.0, len(growth))
    return carrying_channels(before, before + np.array(growth), NAMES[: len(growth)])


def test_the_channel_that_grew_is_named_whatever_it_contributed_before() -> None:
    assert channels(1.0, 0.01, 0.02) == ("power",)


def test_those_with_four_fifths_of_the_growth_are_named_the_largest_first() -> None:
    assert channels(0.3, 0.15, 0.5, 0.05) == ("oil", "power")
    assert channels(0.3, 0.15, 0.49, 0.06) == ("oil", "power", "heat")


def test_at_most_five_are_named() -> None:
    assert len(channels(*[1.0] * 7)) == 5


def test_channels_that_fell_neither_count_nor_are_named() -> None:
    assert channels(-5.0, 1.0, -0.1) == ("heat",)
    assert channels(-1.0, -1.0) == ()


def test_without_rows_nobody_is_named() -> None:
    assert carrying_channels(np.array([1.0]), np.array([np.nan]), ("oil",)) == ()


def farm(seed: int, *, days: int = 30, factors: tuple[float, ...] = (1, 1, 1, 1)) -> ScoredTimeline:
    """Scores of machines a, b, ..., each with a level of its own."""
    names = "abcdefgh"[: len(factors)]
    rows, random = 24 * days, np.random.default_rng(seed)
    level = np.array(factors)[:, None] * np.exp(0.3 * random.standard_normal((len(names), rows)))
    timeline = Timeline(
        np.tile(np.arange(rows) * HOUR, len(names)),
        np.repeat(np.arange(len(names)), rows),
        tuple(names),
        HOUR,
    )
    return ScoredTimeline(level.ravel(), timeline)


def test_the_machine_whose_scores_grew_is_the_one_that_is_named() -> None:
    named = [
        carrying_machines(farm(seed), farm(100 + seed, days=7, factors=(1, 1.5, 1, 1)))
        for seed in range(10)
    ]

    assert all("b" in each for each in named)
    assert sum(each == ("b",) for each in named) >= 8


def test_a_machine_that_always_scored_high_is_not_named() -> None:
    always = (1, 1, 3, 1)

    named = carrying_machines(farm(1, factors=always), farm(2, days=7, factors=(1.5, 1, 3, 1)))

    assert named == ("a",)


def test_a_new_machine_is_compared_with_all_others() -> None:
    named = carrying_machines(farm(1), farm(2, days=7, factors=(1, 1, 1, 1, 2)))

    assert named == ("e",)


def test_one_machine_without_a_name_is_not_named() -> None:
    before, after = farm(1, factors=(1,)), farm(2, factors=(2,))
    nameless = ScoredTimeline(
        after.score, Timeline(after.timeline.time_ns, after.timeline.entity, ("",), HOUR)
    )

    assert carrying_machines(before, nameless) == ()


@pytest.mark.parametrize(
    ("carriers", "sentence"),
    [
        (Carriers(("oil", "heat"), ("b",)), "oil, heat of b"),
        (Carriers(("oil",)), "oil"),
        (Carriers((), ("b", "c")), "the score of b, c"),
        (Carriers(), ""),
    ],
)
def test_carriers_are_told_in_a_few_words(carriers: Carriers, sentence: str) -> None:
    assert carriers.sentence == sentence
