"""Hashes of rows stay what they were: stored fingerprints and scoring inputs depend on them."""

import numpy as np
import pandas as pd
import pytest

from pipeline.data.fingerprint import row_hashes

NUMBERS = np.random.default_rng(0).normal(size=40_000)


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "int8", "bool"])
def test_a_number_hashes_as_pandas_hashes_its_float64(kind):
    values = pd.Series(NUMBERS * 100).astype(kind)

    found = row_hashes(pd.DataFrame({"x": values}))

    plain = pd.util.hash_array(values.to_numpy().astype(np.float64))
    seed = row_hashes(pd.DataFrame({"x": [1.0]}))[0]
    one = pd.util.hash_array(np.array([1.0]))[0]
    # Both are the plain hash times the column's seed.
    np.testing.assert_array_equal(found * one, plain * seed)


def test_a_time_hashes_by_its_nanoseconds_whatever_its_unit():
    time = pd.Series(pd.date_range("2024-01-01", periods=5, freq="7min", tz="UTC"))

    fine, coarse = (row_hashes(pd.DataFrame({"t": time.dt.as_unit(unit)})) for unit in ("ns", "us"))

    np.testing.assert_array_equal(fine, coarse)
    assert len(set(fine)) == 5


def test_categories_hash_as_their_text():
    text = pd.Series(["b", None, "a", "1", "b"], dtype=object)

    plain, categories = (
        row_hashes(pd.DataFrame({"name": held})) for held in (text, text.astype("category"))
    )

    np.testing.assert_array_equal(plain, categories)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "1.0"), ("1", "01"), (str(2**60), str(2**60 + 1)), ("NA", None)]
)
def test_names_that_differ_hash_apart(one, other):
    one_hash, other_hash = row_hashes(pd.DataFrame({"m": [one, other]}), names=["m"])

    assert one_hash != other_hash


def test_a_name_hashes_as_it_did_before_names_were_distinguished():
    frame = pd.DataFrame({"m": ["R80711", None]})

    assert (row_hashes(frame, names=["m"]) == row_hashes(frame)).all()
