import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.raw_values import as_float64, read_marks, truth
from pipeline.errors import DataError


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


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("True", "False"),
        ("yes", "no"),
        ("Y", "N"),
        ("t", "f"),
        ("ON", "OFF"),
        (" on ", "\toff"),
        ("1", "0"),
        ("1.0", "0.0"),
        (1, 0),
        (1.0, -0.0),
        (Decimal(1), Decimal("0.00")),
        (np.True_, np.False_),
        ("YES", ""),
        ("Y", "   "),
        (True, None),
        ("y", np.nan),
        ("on", "NULL"),
    ],
    ids=repr,
)
def test_every_usual_spelling_means_the_same(yes, no):
    values = pd.Series([yes, no, yes], dtype=object)

    assert list(truth(values, "eval_out")) == [True, False, True]


@pytest.mark.parametrize(
    "dtype", ["bool", "boolean", "int64", "uint8", "Int64", "float32", "string", "category"]
)
def test_the_type_of_the_column_changes_nothing(dtype):
    values = pd.Series([1, 0, 0, 1]).astype(dtype)

    assert list(truth(values, "eval_out")) == [True, False, False, True]


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "float64", "string"])
def test_where_nobody_said_the_mark_is_false(dtype):
    values = pd.Series([1, None, 0], dtype=object).astype(dtype)

    assert list(truth(values, "eval_out")) == [True, False, False]


@pytest.mark.parametrize(
    "word",
    [2, -1, 0.5, np.inf, "outage", "ok", "ja", "X", "2", "inf", "yes no", b"Y", [1], Decimal(3)],
    ids=repr,
)
def test_a_word_that_is_neither_true_nor_false_is_named(word):
    values = pd.Series([True, word, "no"], dtype=object)

    assert list(read_marks(values).unreadable) == [False, True, False]
    assert not read_marks(values).true[1]
    with pytest.raises(DataError, match=r"Column eval_out holds .* in 1 of 3 rows") as error:
        truth(values, "eval_out")
    assert repr(word).strip("[]") in str(error.value)
    assert "true/false, yes/no, y/n, t/f, on/off or 1/0, in any case; blank" in str(error.value)


def test_of_many_words_a_few_are_named_and_the_others_counted():
    with pytest.raises(DataError, match=r"'w0', 'w1', 'w2', 'w3', 'w4' and 3 more in 16 of 16"):
        truth(pd.Series([f"w{n % 8}" for n in range(16)]), "eval_out")


@given(st.lists(st.sampled_from(["Y", "n", "", None, "X", 1, 0.0, True, 7]), max_size=30))
def test_a_mark_means_the_same_whatever_else_is_in_the_column(words):
    together = read_marks(pd.Series(words, dtype=object))
    alone = [read_marks(pd.Series([word], dtype=object)) for word in words]

    assert list(together.true) == [each.true[0] for each in alone]
    assert list(together.unreadable) == [each.unreadable[0] for each in alone]
