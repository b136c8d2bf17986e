import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.timeline import Timeline
from pipeline.detector.training.holdout import hold_out

TEN_MINUTES_NS = 600_000_000_000


def timeline(n, *, entities=1):
    moments = np.repeat(np.arange(n // entities), entities).astype(np.int64)
    names = tuple("abcd"[:entities])
    return Timeline(moments * TEN_MINUTES_NS, np.arange(n) % entities, names, TEN_MINUTES_NS)


def test_rows_of_many_days_are_held_out_by_whole_days():
    days = timeline(144 * 60)

    mask = hold_out(len(days), days, every=6, seed=0)

    of_day = mask.reshape(60, 144)
    assert (of_day.all(axis=1) | ~of_day.any(axis=1)).all()
    np.testing.assert_array_equal(np.flatnonzero(of_day[:, 0]), np.arange(4, 60, 6))


def test_rows_of_few_days_are_held_out_by_stretches_over_all_of_the_time():
    short = timeline(1000)

    mask = hold_out(1000, short, every=6, seed=0)

    assert 0.1 < mask.mean() < 0.25
    assert np.diff(mask.astype(int)).clip(0).sum() == 3
    assert all(third.any() for third in np.array_split(mask, 3))


def test_all_entities_of_one_moment_are_on_one_side():
    mask = hold_out(800, timeline(800, entities=4), every=6, seed=0)

    together = mask.reshape(-1, 4)
    assert (together.all(axis=1) | ~together.any(axis=1)).all()


@given(n=st.integers(2, 3000), least=st.integers(1, 200))
def test_rows_without_time_reach_the_least_number_when_half_of_them_suffice(n, least):
    mask = hold_out(n, None, every=6, seed=3, least=least, most=400)

    assert mask.sum() == min(max(min(n // 6, 400), least), n // 2)


def test_the_random_rows_depend_on_the_seed_only():
    first, same, other = (hold_out(500, None, every=6, seed=s) for s in (1, 1, 2))

    assert (first == same).all()
    assert (first != other).any()


def test_more_time_is_held_out_when_there_are_too_few_rows():
    assert hold_out(240, timeline(240), every=6, seed=0, least=99).sum() >= 99
