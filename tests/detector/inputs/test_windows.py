import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.timeline import Timeline
from pipeline.detector.inputs.windows import windows
from pipeline.errors import DataError


def timeline(minutes, entity=None):
    minutes = np.asarray(minutes, dtype=np.int64)
    entity = np.zeros(len(minutes), int) if entity is None else np.asarray(entity)
    return Timeline(minutes * 60_000_000_000, entity, ("a", "b"), 60_000_000_000)


def values(n):
    return np.arange(2 * n, dtype=np.float32).reshape(n, 2)


def test_a_window_of_one_row_is_the_row_itself_in_the_order_given():
    cut = windows(values(3), 1, None)

    np.testing.assert_array_equal(cut.rows, values(3))
    np.testing.assert_array_equal(cut.end, [0, 1, 2])


def test_a_window_holds_its_rows_oldest_first():
    cut = windows(values(3), 2, timeline([0, 1, 2]))

    np.testing.assert_array_equal(cut.rows, [[0, 1, 2, 3], [2, 3, 4, 5]])
    np.testing.assert_array_equal(cut.end, [1, 2])


def test_rows_may_come_in_any_order():
    cut = windows(values(3), 2, timeline([2, 0, 1]))

    np.testing.assert_array_equal(cut.rows, [[2, 3, 4, 5], [4, 5, 0, 1]])
    np.testing.assert_array_equal(cut.end, [2, 0])


@given(
    steps=st.lists(st.sampled_from([1, 1, 1, 2, 5]), min_size=1, max_size=40),
    switches=st.lists(st.booleans(), min_size=40, max_size=40),
    length=st.integers(2, 5),
)
def test_no_window_reaches_over_a_gap_or_into_another_entity(steps, switches, length):
    minutes = np.cumsum(steps)
    entity = np.array(switches[: len(steps)], dtype=int)
    at = np.column_stack([minutes, entity]).astype(np.float32)

    cut = windows(at, length, timeline(minutes, entity))

    shaped = cut.rows.reshape(-1, length, 2)
    assert (np.diff(shaped[:, :, 0], axis=1) == 1).all()
    assert (np.diff(shaped[:, :, 1], axis=1) == 0).all()
    np.testing.assert_array_equal(shaped[:, -1, 0], minutes[cut.end])
    unbroken = {(m, e) for m, e in zip(minutes, entity, strict=True)}
    expected = sum(all((m - back, e) in unbroken for back in range(length)) for m, e in unbroken)
    assert len(cut.end) == expected


def test_fewer_rows_than_a_window_make_none():
    cut = windows(values(2), 5, timeline([0, 1]))

    assert cut.rows.shape == (0, 10)
    assert cut.end.shape == (0,)


def test_windows_of_rows_without_time_are_refused():
    with pytest.raises(DataError, match="no time column"):
        windows(values(9), 3, None)
