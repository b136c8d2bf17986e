"""What a machine is called, judged by the value itself and not by its column. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import DataError

_EXACT = 2**53  # float64 tells whole numbers apart up to here


def names_of(values: pd.Series, column: str) -> pd.Series:
    """The name of each row's machine as text; None where it is blank or absent.

    A whole number is written without a point, however its `column` is stored.

    Raises:
        DataError: a name is a floating-point number that may stand for several whole ones.
    """
    plain = values.to_numpy(copy=True)
    if plain.dtype == np.object_ and pd.api.types.infer_dtype(plain, skipna=True) != "string":
        plain[:] = [value if isinstance(value, Hashable) else str(value) for value in plain]
    codes, distinct = pd.factorize(plain)
    names = np.array([*(_name(value, column) for value in distinct), None], dtype=object)
    return pd.Series(names[codes], index=values.index, dtype=object)


def _name(value: Any, column: str) -> str | None:
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, float | np.floating | Decimal):
        return _name_of_number(value, column)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    text = str(value)
    return text if text.strip() else None


def _name_of_number(value: Any, column: str) -> str:
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
    elif abs(value) > _EXACT:
        msg = (
            f"column {column} holds {float(value)!r}, a floating-point number; limit 2^53, beyond "
            "which it does not tell machines apart: deliver whole numbers or text."
        )
        raise DataError(msg)
    else:
        whole = float(value).is_integer()
    return str(int(value)) if whole else str(value)
