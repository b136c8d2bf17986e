"""Raw rows as JSON, column by column: a rejected day costs little more than an accepted one.

Numbers are floats, however the reader typed the column of this chunk; times are ISO 8601 in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import numpy as np
import pandas as pd

from pipeline.data.raw_values import as_float64

_NOTHING = "null"


def as_json(raw: pd.DataFrame, keys: Collection[str]) -> list[str]:
    """Each row of `raw` as one JSON object; the columns `keys` are kept as they are."""
    if raw.empty:
        return []
    columns = [_keys(raw[name]) if name in keys else _values(raw[name]) for name in raw.columns]
    names = [_text(str(name)).replace("%", "%%") for name in raw.columns]
    template = "{" + ",".join(f"{name}:%s" for name in names) + "}"
    return [template % row for row in zip(*columns, strict=True)]


def _keys(values: pd.Series) -> list[str]:
    """Times and entities: few of them in many rows."""
    codes, distinct = pd.factorize(values)
    texts = np.array([*map(_one, distinct), _NOTHING], dtype=object)
    laid: list[str] = texts[codes].tolist()  # code -1, an absent value, indexes the last
    return laid


def _values(values: pd.Series) -> list[str]:
    numbers = as_float64(values)
    texts = _numbers(numbers)
    for at in np.flatnonzero(np.isinf(numbers)).tolist():
        texts[at] = _text(str(numbers.iloc[at]))
    other = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
    for at, value in zip(other.tolist(), values.iloc[other], strict=True):
        texts[at] = _one(value)
    return texts


def _numbers(numbers: pd.Series) -> list[str]:
    content: str = numbers.to_json(orient="records", double_precision=15)
    return content[1:-1].split(",")


def _one(value: object) -> str:
    """One value of any kind."""
    if isinstance(value, str):
        return _text(value)
    content: str = pd.Series([value], dtype=object).to_json(
        orient="records", date_format="iso", double_precision=15
    )
    return content[1:-1]


def _text(text: str) -> str:
    return json.dumps(text).replace("/", r"\/")
