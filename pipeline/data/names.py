"""The name of a machine, from the value itself and not from its column's type. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import DataError

_EXACT = 2**53  # float64 holds every whole number up to here


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
