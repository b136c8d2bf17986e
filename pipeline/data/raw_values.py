"""Names, numbers and marks from raw values, each by itself. Pure.

What else a column holds, or how a reader typed it, changes nothing.

A mark is a column that says of a row that a known incident lasts, or that it must not train.
Ingestion and `fit` read marks here and nowhere else: a spelling that one of them did not know would
let known faults train as normal rows, in silence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import DataError

_EXACT = 2**53  # float64 holds every whole number up to here

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(inf|Inf|INF|infinity|Infinity)$"
_WORDS = {"true": 1.0, "false": 0.0}

_TRUE = ("true", "yes", "y", "t", "on")
_FALSE = ("false", "no", "n", "f", "off")
_NOBODY_SAID = ("", "nan", "na", "n/a", "<na>", "nat", "null", "none")
"""Includes what readers of text return for an absent value."""

ALLOWED = (
    f"{', '.join(f'{yes}/{no}' for yes, no in zip(_TRUE, _FALSE, strict=True))} or 1/0, in any "
    "case; blank is false"
)
"""The allowed spellings, in words."""

_SHOWN = 5  # spellings named in an error


def names_of(values: pd.Series, column: str) -> pd.Series:
    """The name of each row's machine as text; None where it is blank or absent.

    A whole number is written without a point, however its `column` is stored.

    Raises:
        DataError: a name is a floating-point number that may mean several whole ones.
    """
    plain = values.to_numpy(copy=True)
    if plain.dtype == np.object_:
        # Hashed as text that ends at its first NUL, two names could become one.
        plain[:] = [_hashable(value) for value in plain]
    codes, distinct = pd.factorize(plain)
    names = np.array([*(_name(value, column) for value in distinct), None], dtype=object)
    return pd.Series(names[codes], index=values.index, dtype=object)


def _hashable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\\0") if "\0" in value else value
    if isinstance(value, bytes):
        text = value.decode("utf-8", errors="replace")
        return text if text.isprintable() and "\ufffd" not in text else value.hex()
    return value if isinstance(value, Hashable) else str(value)


def _name(value: Any, column: str) -> str | None:
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, float | np.floating | Decimal):
        return _name_of_number(value, column)
    text = str(value)
    return text if text.strip() else None


def _name_of_number(value: Any, column: str) -> str:
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
    elif abs(value) > _EXACT:
        msg = (
            f"column {column} holds {float(value)!r}, a floating-point number; limit 2^53, beyond "
            "which two machines may have the same number: deliver whole numbers or text."
        )
        raise DataError(msg)
    else:
        whole = float(value).is_integer()
    return str(int(value)) if whole else str(value)


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


@dataclass(frozen=True)
class Marks:
    """A column of n marks, parsed.

    Attributes:
        true: shape (n,); false also where the value is absent or unreadable.
        unreadable: shape (n,); what is neither true nor false nor absent.
    """

    true: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]


def read_marks(values: pd.Series) -> Marks:
    """Parse `values`: booleans, the numbers 0 and 1, or words for true and false.

    An absent or blank value is false: nobody said that anything was wrong.
    """
    if values.dtype == bool:
        return Marks(values.to_numpy(), np.zeros(len(values), dtype=bool))
    # A few spellings repeat in many rows: each is read once.
    codes, spellings = _distinct(values.astype(object))
    said = [_meaning(spelling) for spelling in spellings]
    true = np.array([*(meaning is True for meaning in said), False])
    unreadable = np.array([*(meaning is None for meaning in said), False])
    return Marks(true[codes], unreadable[codes])  # code -1, an absent value, indexes the last


def truth(values: pd.Series, name: str) -> NDArray[np.bool_]:
    """Whether each mark of the column `name` is true, shape (n,).

    Raises:
        DataError: a mark can be read neither as true nor as false; the message names the spellings
            that were found and those that are allowed.
    """
    marks = read_marks(values)
    if marks.unreadable.any():
        _, found = _distinct(values[marks.unreadable])
        msg = (
            f"Column {name} holds {_listed(found)} in {int(marks.unreadable.sum()):,} of "
            f"{len(values):,} rows, which is neither true nor false. Deliver {ALLOWED}."
        )
        raise DataError(msg)
    return marks.true


def _distinct(values: pd.Series) -> tuple[NDArray[np.intp], list[object]]:
    """For each value its place among the distinct ones, -1 where it is absent; and these."""
    # Lists and the like have no usable hash, and are no mark in any spelling.
    held = values.map(lambda value: value if isinstance(value, Hashable) else repr(value))
    codes, distinct = pd.factorize(held)
    return codes.astype(np.intp), list(distinct)


def _meaning(value: object) -> bool | None:
    """True, false, or None where `value` is neither."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _TRUE or word in _FALSE or word in _NOBODY_SAID:
            return word in _TRUE
        value = _number(word)
    if isinstance(value, Real | Decimal) and value in (0, 1):
        return bool(value)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _listed(found: Sequence[object]) -> str:
    shown = ", ".join(repr(each) for each in found[:_SHOWN])
    return shown + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
