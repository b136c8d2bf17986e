"""Rules for single values: types, missing, non-finite and out-of-range. Pure; uses pandera."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaErrors

from pipeline.config import Columns, Feature
from pipeline.data.channels import channels
from pipeline.data.faults import Faults, Mask
from pipeline.data.raw_values import as_float64, read_marks
from pipeline.data.sources.shaping import declared

_ROUNDING = 1e-9  # 0.3 of 10 features are 3 of them
_LONGEST = 60  # characters of a value that a row's detail shows
_NAMED = 5  # missing features named in a row's detail


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
    numbers: pd.DataFrame, columns: Columns, faults: Faults, *, missing_cells: float = 0.0
) -> None:
    """Report every value of `numbers` that breaks the schema, and rows with too many missing ones.

    A row that already broke a rule is checked too: the graver rule stays. `numbers` has
    the index 0..n-1 and float64 features. Up to the share `missing_cells` of a row's features may
    be missing, as long as one that is no context is there; with 0 each missing value is a fault.
    """
    if missing_cells:
        _check_missing(numbers, columns, missing_cells, faults)
    try:
        with warnings.catch_warnings():
            # pandera joins its findings in a way that pandas will change; either way works here.
            warnings.simplefilter("ignore", FutureWarning)
            frame_schema(columns, missing=missing_cells > 0).validate(numbers, lazy=True)
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


def _check_missing(numbers: pd.DataFrame, columns: Columns, limit: float, faults: Faults) -> None:
    """Report rows that lack more than the share `limit` of their features, or all but context."""
    names = list(columns.features)
    absent = numbers[names].isna().to_numpy()
    most = int(limit * len(names) + _ROUNDING)
    judged = [channel.judged for channel in channels(columns)]
    nothing: Mask = np.asarray(absent[:, judged].all(axis=1))
    for row in np.flatnonzero((absent.sum(axis=1) > most) | nothing).tolist():
        lacking = [name for name, is_absent in zip(names, absent[row], strict=True) if is_absent]
        detail = (
            "every feature that is judged is missing; limit: one at least is there"
            if nothing[row]
            else f"{len(lacking)} of {len(names)} features are missing ({_some(lacking)}); "
            f"limit {most}"
        )
        faults.add(np.array([row]), "too_many_missing", None, detail)


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


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
