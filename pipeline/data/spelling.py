"""The spellings of a mark: which are true, which are false, and which are neither. Pure.

A mark is a column that says of a row that a known incident lasts, or that it must not train.
Ingestion and `fit` read marks here and nowhere else: a spelling that one of them did not know would
let known faults train as normal rows, in silence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import DataError

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
