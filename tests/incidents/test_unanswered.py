"""Episodes that wait for a label, found by their ends alone, are those of whole incidents."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from pipeline.data.label import Label
from pipeline.incidents.joining import joined
from pipeline.incidents.unanswered import NS_IN_US, FlaggedParts, answered, unanswered, whole
from tests.incidents.made import part

HOUR = timedelta(hours=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
WITHIN = pd.Timedelta("2h")


def part_of(start: float, end: float, entity: str = "a", rows: int = 3) -> FlaggedParts:
    return FlaggedParts((entity,), (us(start),), (us(end),), (rows,))


def us(hours: float) -> int:
    return pd.Timestamp(START + hours * HOUR).value // NS_IN_US


def ends(*parts: FlaggedParts, within=WITHIN) -> list[tuple[str, int, int, int]]:
    found = whole(parts, within)
    start, end = found.start // NS_IN_US, found.end // NS_IN_US
    return list(zip(found.entity, start.tolist(), end.tolist(), found.rows.tolist(), strict=True))


def label(start: float, end: float, entity: str | None = "a") -> Label:
    made = START + timedelta(days=90)
    return Label(START + start * HOUR, START + end * HOUR, entity, "incident", "", "ann", made)


def found(parts, labels=(), sampled=(), minimum_rows=3):
    return unanswered(parts, WITHIN, labels, sampled=set(sampled), minimum_rows=minimum_rows)


@pytest.mark.parametrize("seed", range(20))
def test_parts_are_joined_as_incidents_are(seed):
    chance = random.Random(seed)  # noqa: S311 - dice of a test
    drawn = [
        (start, start + chance.randrange(9), chance.choice("ab"), chance.randrange(1, 4))
        for start in (chance.randrange(100) for _ in range(30))
    ]
    parts = [part_of(*each) for each in drawn]
    made = [
        part(str(START + a * HOUR)[:19], str(START + b * HOUR)[:19], entity=entity, rows=rows)
        for a, b, entity, rows in drawn
    ]

    incidents = joined(made, WITHIN, WITHIN)

    assert sorted(ends(*parts)) == sorted(
        (i.entity, i.start.value // NS_IN_US, i.end.value // NS_IN_US, i.rows) for i in incidents
    )
    assert found(parts, minimum_rows=1).ids == {each.id for each in incidents}


def test_parts_just_within_reach_are_one_and_further_ones_are_two():
    assert ends(part_of(0, 1), part_of(3, 4)) == [("a", us(0), us(4), 6)]
    assert len(ends(part_of(0, 1), part_of(3.01, 4))) == 2


def test_an_early_long_part_reaches_over_short_ones():
    assert len(ends(part_of(0, 50), part_of(1, 2), part_of(51, 52))) == 1


def test_an_episode_is_answered_by_its_first_and_its_last_row():
    def said(*labels):
        begin, end = (np.array([us(hour) * NS_IN_US] * 2) for hour in (0, 4))
        return answered(["a", "b"], begin, end, labels).tolist()

    assert said(label(0, 3)) == [False, False]
    assert said(label(0, 3), label(4, 4)) == [True, False]
    assert said(label(0, 4, None)) == [True, True]
    assert said(label(0, 4, "c")) == [False, False]


def test_a_short_episode_waits_only_where_it_was_sampled():
    short, long = part_of(0, 0, rows=1), part_of(9, 12)

    assert found([short, long]).ids == found([long]).ids
    assert len(found([long]).ids) == 1
    both = found([short, long], sampled=[("a", us(0))])
    assert (len(both.ids), both.audits) == (2, 1)
    assert found([short, long], [label(0, 0)], [("a", us(0))]).audits == 0


def test_nothing_waits_where_nothing_was_flagged():
    assert found([], [label(0, 4)]).ids == frozenset()
    assert found([FlaggedParts()], [label(0, 4)]).ids == frozenset()
