"""Numbers from values."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.numbers import as_float64


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        (Decimal("1.5"), 1.5),
        (np.float32(0.5), 0.5),
        ("1.5", 1.5),
        (" +1.5e3 ", 1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-inf", -math.inf),
        ("TRUE", 1.0),
        ("false", 0.0),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        ("1e400", math.inf),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_number_is_read_whatever_its_type(value, number):
    assert as_float64(pd.Series([value, None, "word"], dtype=object))[0] == number


@pytest.mark.parametrize(
    "value",
    ["", "word", "1,5", "0x10", "1_000", "1 2", "--1", "nan", b"1", pd.Timestamp(0), (1,), None],
    ids=lambda value: repr(value)[:20],
)
def test_anything_else_is_no_number(value):
    assert math.isnan(as_float64(pd.Series([value, 1.0], dtype=object))[0])


@given(st.floats(allow_nan=False))
def test_a_number_that_was_written_as_text_comes_back_to_the_last_digit(number):
    assert as_float64(pd.Series([repr(number)]))[0] == number


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "timedelta64[s]", "datetime64[ns, UTC]"])
def test_times_and_durations_are_no_numbers(dtype):
    assert as_float64(pd.Series([1], dtype="int64").astype(dtype)).isna().all()


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, None], dtype="Int64"),
        pd.Series([True, None], dtype="boolean"),
        pd.Series(["1", None], dtype="category"),
        pd.Series(["1", None], dtype="string"),
        pd.Series([1.0, None]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_the_type_of_the_column_does_not_matter(values):
    numbers = as_float64(values)

    assert numbers.dtype == np.float64
    assert numbers[0] == 1.0
    assert math.isnan(numbers[1])
