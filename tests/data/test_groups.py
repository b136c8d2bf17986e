"""Many days in groups: each day once, in order, worth a task and never too much for one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.groups import (
    LOADING,
    MOST_GROUPS,
    SCORING,
    SHORTEST_S,
    WELL_SPREAD,
    DayShape,
    expected_shape,
    groups,
    groups_of,
    seconds,
)
from tests.builders import FIRST_DAY, days, make_spec

PACES = st.sampled_from([(LOADING, SCORING), (SCORING,), (LOADING,)])
SHAPES = st.builds(DayShape, st.integers(1, 5_000_000), st.integers(1, 500))
WANTED = st.lists(st.integers(0, 20_000), max_size=3_000).map(
    lambda numbers: [FIRST_DAY + timedelta(days=n) for n in numbers]
)


@given(WANTED, SHAPES, PACES)
def test_every_day_is_in_one_group_and_all_are_in_order(wanted, shape, paces):
    made = groups(wanted, shape, paces)

    assert [day for group in made for day in group] == sorted(set(wanted))
    assert all(made)


@given(WANTED, SHAPES, PACES)
def test_a_group_is_worth_a_task_and_never_too_much_for_one(wanted, shape, paces):
    made = groups(wanted, shape, paces)

    most = min(pace.most_values for pace in paces)
    sizes = {len(group) for group in made}
    values = [size * shape.rows * shape.features for size in sizes]
    bound = any(value + shape.rows * shape.features > most / 2 for value in values)
    worth = [seconds(size, shape, paces) >= SHORTEST_S for size in sizes]
    assert len(made) <= MOST_GROUPS
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert len(made) <= 1 or all(worth) or bound
    assert len(made) == MOST_GROUPS or all(v <= most for v in values) or sizes == {1}


def test_a_small_detector_is_one_task_for_its_first_months():
    assert len(groups(days(45), DayShape(432, 9), (LOADING, SCORING))) == 1


def test_a_large_one_keeps_several_workers_busy():
    made = groups(days(90), DayShape(72_000, 36), (LOADING, SCORING))

    assert len(made) == 9
    assert {len(group) for group in made} == {10}


def test_scoring_alone_gets_longer_groups_than_loading_and_scoring():
    shape = DayShape(72_000, 36)

    assert len(groups(days(300), shape, (SCORING,))) < len(groups(days(300), shape, (LOADING,)))


def test_many_workers_find_work_in_years_of_a_small_detector():
    assert len(groups(days(20_000), DayShape(432, 9), (LOADING, SCORING))) > 10


def test_a_year_is_not_cut_finer_than_workers_can_use():
    assert len(groups(days(366), DayShape(20_000, 9), (LOADING, SCORING))) <= WELL_SPREAD


def test_a_day_that_is_too_large_is_a_group_of_its_own():
    assert [len(g) for g in groups(days(3), DayShape(10**8, 40), (LOADING,))] == [1, 1, 1]


def test_no_run_is_refused_for_its_length():
    assert len(groups(days(2_500), DayShape(10**8, 40), (LOADING,))) == MOST_GROUPS


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 7), (3, [2, 2, 3]), (7, [7]), (9, [7])])
def test_a_person_may_say_how_large_a_group_is(size, sizes):
    assert [len(group) for group in groups_of(days(7), size)] == sizes


def test_no_days_are_no_groups():
    assert groups([], DayShape(1, 1), (SCORING,)) == groups_of([], 3) == []


def test_rows_of_a_day_follow_from_the_cadence_and_the_machines():
    assert expected_shape(make_spec().columns, machines=3) == DayShape(72, 6)
