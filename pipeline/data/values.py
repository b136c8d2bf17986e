"""Rules for single values: types, missing, non-finite and out-of-range. Pure; pandera does it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaErrors

from pipeline.config import Columns, Feature
from pipeline.data.faults import Faults
from pipeline.data.sources.shaping import declared


def as_numbers(frame: pd.DataFrame, columns: Columns, faults: Faults) -> pd.DataFrame:
    """`frame` with every feature as float64; what is no number becomes NaN and a fault."""
    numbers = frame.copy()
    for name in columns.features:
        if name not in frame:
            continue
        numbers[name] = pd.to_numeric(frame[name], errors="coerce").astype("float64")
        lost = np.flatnonzero(numbers[name].isna() & frame[name].notna())
        told = [f"{name} is {value!r}; a number is needed" for value in frame[name].iloc[lost]]
        faults.add(lost, "wrong_type", name, told)
    return numbers


def missing_columns(frame: pd.DataFrame, columns: Columns) -> list[str]:
    """Declared columns that `frame` does not have."""
    return [name for name in declared(columns) if name not in frame]


def check_values(numbers: pd.DataFrame, columns: Columns, faults: Faults) -> None:
    """File every value of `numbers` that breaks the schema.

    A row that already broke a rule is looked at all the same: the graver rule stays. `numbers` has
    the index 0..n-1 and float64 features.
    """
    try:
        with warnings.catch_warnings():
            # pandera joins its findings in a way that pandas means to change; either suits us.
            warnings.simplefilter("ignore", FutureWarning)
            frame_schema(columns).validate(numbers, lazy=True)
    except SchemaErrors as errors:
        for (name, check), cases in errors.failure_cases.groupby(["column", "check"], sort=False):
            rows = cases["index"].to_numpy(dtype=np.intp)
            values = list(cases["failure_case"])
            if name == columns.entity:
                faults.add(rows, "unknown_entity", None, _strangers(values, columns))
            else:
                rule = "missing_value" if check == "not_nullable" else str(check)
                told = [_told(value, rule, name, columns.features[name]) for value in values]
                faults.add(rows, rule, name, told)


def frame_schema(columns: Columns) -> pandera.DataFrameSchema:
    """The frame contract of one detector, as far as it concerns single values."""
    schema = {name: _column(feature) for name, feature in columns.features.items()}
    if columns.entity:
        known = [pandera.Check.isin(columns.entities)] if columns.entities else []
        schema[columns.entity] = pandera.Column(object, known, nullable=False)
    return pandera.DataFrameSchema(schema)


def _column(feature: Feature) -> pandera.Column:
    checks = [pandera.Check(np.isfinite, error="not_finite")]
    if feature.range is not None:
        checks.append(pandera.Check.in_range(*feature.range, error="out_of_range"))
    return pandera.Column(float, checks, nullable=False)


def _strangers(values: list[object], columns: Columns) -> list[str]:
    known = ", ".join(columns.entities) or "any name"
    return [f"{columns.entity} is {value!r}; known: {known}" for value in values]


def _told(value: float, rule: str, name: str, feature: Feature) -> str:
    if rule == "missing_value":
        return f"{name} is missing"
    if rule == "not_finite":
        return f"{name} is {value}; limit: finite"
    lowest, highest = feature.range or (-np.inf, np.inf)
    return f"{name} is {value:g} {feature.unit}; limit {lowest:g} to {highest:g} {feature.unit}"
