"""Rules for single values: types, missing, non-finite and out-of-range. Pure; uses pandera."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaErrors

from pipeline.config import Columns, Feature
from pipeline.data.faults import Faults
from pipeline.data.raw_values import as_float64, read_marks
from pipeline.data.sources.shaping import declared

_LONGEST = 60  # characters of a value that a row's detail shows


def as_numbers(frame: pd.DataFrame, columns: Columns, faults: Faults) -> pd.DataFrame:
    """`frame` with every feature as float64; a value that is no number becomes NaN and a fault."""
    numbers = frame.copy()
    for name in columns.features:
        if name not in frame:
            continue
        numbers[name] = as_float64(frame[name])
        lost = np.flatnonzero(numbers[name].isna() & frame[name].notna())
        details = [
            f"{name} is {_shown(value)}; a number is needed" for value in frame[name].iloc[lost]
        ]
        faults.add(lost, "wrong_type", name, details)
    return numbers


def check_marks(raw: pd.DataFrame, columns: Columns, faults: Faults) -> None:
    """Report every row with a mark that is neither true nor false: it may be a known incident."""
    for name in sorted(columns.marks):
        rows = np.flatnonzero(read_marks(raw[name]).unreadable)
        details = [f"{name} is {value!r}; limit: true or false" for value in raw[name].iloc[rows]]
        faults.add(rows, "unreadable_mark", name, details)


def missing_columns(frame: pd.DataFrame, columns: Columns) -> list[str]:
    """Declared columns that `frame` does not have."""
    return [name for name in declared(columns) if name not in frame]


def check_values(
    numbers: pd.DataFrame, columns: Columns, faults: Faults, *, missing: bool = False
) -> None:
    """Report every value of `numbers` that breaks the schema.

    A row that already broke a rule is checked too: the graver rule stays. `numbers` has
    the index 0..n-1 and float64 features. Where `missing` is true a missing value is no fault.
    """
    try:
        with warnings.catch_warnings():
            # pandera joins its findings in a way that pandas will change; either way works here.
            warnings.simplefilter("ignore", FutureWarning)
            frame_schema(columns, missing=missing).validate(numbers, lazy=True)
    except SchemaErrors as errors:
        for (name, check), cases in errors.failure_cases.groupby(["column", "check"], sort=False):
            rows = cases["index"].to_numpy(dtype=np.intp)
            values = list(cases["failure_case"])
            if name == columns.entity:
                faults.add(rows, "unknown_entity", None, _strangers(values, columns))
            else:
                rule = "missing_value" if check == "not_nullable" else str(check)
                details = [_detail(value, rule, name, columns.features[name]) for value in values]
                faults.add(rows, rule, name, details)


def frame_schema(columns: Columns, *, missing: bool = False) -> pandera.DataFrameSchema:
    """The pandera schema of one detector, for single values.

    Where `missing` is true a value may be absent; values that are there must keep their limits.
    """
    schema = {name: _column(each, missing=missing) for name, each in columns.features.items()}
    if columns.entity:
        known = [pandera.Check.isin(columns.entities)] if columns.entities else []
        schema[columns.entity] = pandera.Column(object, known, nullable=False)
    return pandera.DataFrameSchema(schema)


def _column(feature: Feature, *, missing: bool) -> pandera.Column:
    checks = [pandera.Check(np.isfinite, error="not_finite")]
    if feature.range is not None:
        checks.append(pandera.Check.in_range(*feature.range, error="out_of_range"))
    return pandera.Column(float, checks, nullable=missing)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _strangers(values: list[object], columns: Columns) -> list[str]:
    known = ", ".join(columns.entities) or "any name"
    return [f"{columns.entity} is {_shown(value)}; known: {known}" for value in values]


def _detail(value: float, rule: str, name: str, feature: Feature) -> str:
    if rule == "missing_value":
        return f"{name} is missing"
    if rule == "not_finite":
        return f"{name} is {value}; limit: finite"
    lowest, highest = feature.range or (-np.inf, np.inf)
    return f"{name} is {value:g} {feature.unit}; limit {lowest:g} to {highest:g} {feature.unit}"
