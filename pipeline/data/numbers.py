"""Numbers from values, each by itself: never by what else its column holds. Pure."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(inf|Inf|INF|infinity|Infinity)$"
_WORDS = {"true": 1.0, "false": 0.0}


def as_float64(values: pd.Series) -> pd.Series:
    """`values` as float64; NaN where a value is missing or is no number.

    Text is a number if it is one in plain or scientific notation, and `true` and `false` are 1 and
    0. Date-times, durations and bytes are no numbers: the number would depend on the unit in
    which a writer stored them.
    """
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "fiub":
        return values.astype("float64")
    if isinstance(dtype, pd.CategoricalDtype):
        return as_float64(values.astype(object))
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        return pd.Series(values.to_numpy("float64", na_value=np.nan), index=values.index)
    if not pd.api.types.is_object_dtype(dtype) and not pd.api.types.is_string_dtype(dtype):
        return pd.Series(np.nan, index=values.index, dtype="float64")
    return pd.Series(_of_objects(values.to_numpy(dtype=object)), index=values.index)


def _of_objects(values: NDArray[np.object_]) -> NDArray[np.float64]:
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        return _of_text(values)
    is_text = np.fromiter((isinstance(value, str) for value in values), bool, len(values))
    numbers = np.full(len(values), np.nan)
    numbers[~is_text] = [_of_object(value) for value in values[~is_text]]
    numbers[is_text] = _of_text(values[is_text])
    return numbers


def _of_text(texts: NDArray[np.object_]) -> NDArray[np.float64]:
    """Arrow reads a number to the nearest float64, so that text written by `repr` comes back."""
    stripped = pc.utf8_trim_whitespace(pa.array(texts, pa.string(), from_pandas=True))
    is_number = pc.match_substring_regex(stripped, _NUMBER)
    numbers: NDArray[np.float64] = (
        pc.cast(pc.if_else(is_number, stripped, None), pa.float64())
        .to_numpy(zero_copy_only=False)
        .copy()
    )
    lowered = pc.utf8_lower(stripped)
    for word, number in _WORDS.items():
        said = pc.fill_null(pc.equal(lowered, word), False)  # noqa: FBT003 - Arrow's signature
        numbers[said.to_numpy(zero_copy_only=False)] = number
    return numbers


def _of_object(value: Any) -> float:
    if not isinstance(value, Real | Decimal | np.bool_):
        return np.nan
    number: Any = value
    try:
        return float(number)
    except OverflowError:  # a whole number beyond 1.8e308
        return -np.inf if number < 0 else np.inf
