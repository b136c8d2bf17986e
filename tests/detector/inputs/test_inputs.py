import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detector.inputs.inputs import as_rows
from pipeline.errors import DataError


@given(st.permutations(["a", "b", "c", "extra"]))
def test_columns_are_read_by_name_in_any_order_and_others_ignored(order):
    values = {"a": [1.0], "b": [2.0], "c": [3.0], "extra": [9.0]}

    rows = as_rows({name: np.array(values[name]) for name in order}, ["a", "b", "c"])

    np.testing.assert_array_equal(rows, [[1, 2, 3]])


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "uint8", "bool", "object"])
def test_every_kind_of_number_is_accepted(kind):
    rows = as_rows({"a": np.array([0, 1], dtype=kind)}, ["a"])

    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[0], [1]])


def test_absent_columns_are_named():
    with pytest.raises(DataError, match="2 of 3 feature columns are absent: b, c"):
        as_rows({"a": np.zeros(1)}, ["a", "b", "c"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_value_that_is_no_finite_number_is_refused_with_its_column_and_the_count(bad):
    columns = {"fine": np.zeros(5), "broken": np.array([0, bad, 0, bad, 0])}

    with pytest.raises(DataError, match=r"2 of 5 rows .* broken \(2\)"):
        as_rows(columns, ["fine", "broken"])


def test_opposite_infinities_do_not_hide_each_other():
    with pytest.raises(DataError, match="2 of 2 rows"):
        as_rows({"a": np.array([np.inf, -np.inf])}, ["a"])


def test_huge_finite_values_pass():
    rows = as_rows({"a": np.full(1000, 3e38)}, ["a"])

    assert (rows == np.float32(3e38)).all()


def test_text_is_refused_by_name():
    with pytest.raises(DataError, match="'a' holds"):
        as_rows({"a": np.array(["x"])}, ["a"])
