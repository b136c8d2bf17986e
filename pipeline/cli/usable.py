"""The rows that `fit` can use: those whose features float32 can represent finely enough.

Ingestion has the same limits and the same messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.config.columns import stored_name
from pipeline.data.precision import CONSTANT, imprecise_text, in_float32, resolution, too_small
from pipeline.data.timeline import machines
from pipeline.detector.inputs.inputs import as_numbers, named, not_finite_message
from pipeline.detector.inputs.schema import UNKNOWN_UNIT, Offset, Schema
from pipeline.errors import DataError

_DAMPED = 1e-4
"""Relative to its level: the scaler would damp a feature that moves less, as if it were constant
(`pipeline.detector.inputs.scaling`)."""

_LABEL = re.compile(
    r"(is|has)?(anomal(y|ies|ous)|outliers?|incidents?|faults?|faulty|attacks?|failures?|alarms?"
    r"|(ab)?normal)(labels?|flags?)?"
    r"|(anomaly|fault|attack|class)?(labels?|class|targets?)|y|ytrue|groundtruth|normalattack"
)


def without_unusable(
    frame: pd.DataFrame, offsets: Mapping[str, float], *, missing: bool, limit: float
) -> tuple[pd.DataFrame, list[str]]:
    """`frame` without the rows that lack a number in a column, and a remark if there were any.

    Args:
        frame: n rows.
        offsets: the columns that must hold numbers, and the offset that is subtracted from each.
        missing: whether a value may be absent.
        limit: share of the rows that may be left out.

    Raises:
        DataError: more rows than that would be left out, or a column holds no numbers at all.
    """
    unusable = np.zeros(len(frame), dtype=bool)
    by_column, absent = {}, False
    for name, offset in offsets.items():
        values = as_numbers(name, frame[name].to_numpy()).astype(np.float64)
        stored = in_float32(values, offset)
        bad = np.isinf(stored) if missing else ~np.isfinite(stored)
        bad |= too_small(values, offset)
        absent |= bool(np.isnan(values).any())
        by_column[name] = int(bad.sum())
        unusable |= bad
    count = int(unusable.sum())
    if not count:
        return frame, []
    if count > limit * len(frame):
        found = not_finite_message(by_column, count, len(frame), missing=missing, absent=absent)
        msg = f"{found} Of the rows {limit:.0%} may be left out (validation.maximum_rejected)."
        raise DataError(msg)
    held = named(
        [
            f"{name} ({unusable_values:,})"
            for name, unusable_values in by_column.items()
            if unusable_values
        ]
    )
    remark = (
        f"warning: {count:,} of {len(frame):,} rows left out, whose values are "
        f"{'' if missing else 'missing, '}infinite, or too large or too small for float32: {held}"
    )
    return frame.loc[~unusable].reset_index(drop=True), [remark]


def refuse_lost_precision(frame: pd.DataFrame, columns: Columns) -> None:
    """Raise unless float32 represents the raw channels finely enough, machine by machine.

    Raises:
        DataError: names the channel, its spread, float32's resolution and the offset to set.
    """
    entity = columns.entity if columns.entity in frame else None
    machine, _ = machines(frame, entity)
    order = np.argsort(machine, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(machine[order])) + 1)
    for name, feature in columns.features.items():
        if feature.circular or name not in frame:
            continue
        values = as_numbers(name, frame[name].to_numpy()).astype(np.float64)
        for part in parts:
            present = values[part][~np.isnan(values[part])]
            found = resolution(present, feature.offset) if len(present) else None
            if found is not None and not found.enough:
                raise DataError(f"{imprecise_text(name, feature.unit, found)}.")


def with_offsets(frame: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, Schema, list[str]]:
    """`frame` with an offset subtracted from features that move little around a large number.

    Returns the frame with these features under names of their own, a schema with their offsets, and
    a remark on each.

    Raises:
        DataError: a feature moves less than float32 resolves, whatever is subtracted.
    """
    found = {name: _offset(frame[name], name) for name in schema.features}
    offsets = tuple(
        Offset(stored_name(name, offset), name, offset) for name, offset in found.items() if offset
    )
    renamed = {each.column: each.feature for each in offsets}
    remarks = [
        f"{each.column}: moves too little for so large numbers; {each.offset:.15g} is subtracted "
        "from it first, here and in every score"
        for each in offsets
    ]
    features = tuple(renamed.get(name, name) for name in schema.features)
    known = replace(schema, features=features, offsets=offsets)
    return less_offsets(frame, known), known, remarks


def less_offsets(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """`frame` with the features of `schema` that are raw columns less an offset."""
    made = [each for each in schema.offsets if each.feature not in frame and each.column in frame]
    if not made:
        return frame  # not a copy, which is costly for a large frame
    columns = {
        each.feature: in_float32(_numbers(frame[each.column], each.column), each.offset)
        for each in made
    }
    return frame.drop(columns=[each.column for each in made]).assign(**columns)


def _offset(values: pd.Series, name: str) -> float:
    numbers = _numbers(values, name)
    found = resolution(numbers[~np.isnan(numbers)], 0.0)
    if found.enough and not CONSTANT < found.spread / (abs(found.level) or 1.0) < _DAMPED:
        return 0.0
    offset = found.offset
    left = resolution(numbers[~np.isnan(numbers)], offset)
    if not left.enough:
        raise DataError(f"{imprecise_text(name, UNKNOWN_UNIT, left)}.")
    return offset


def _numbers(values: pd.Series, name: str) -> NDArray[np.float64]:
    return as_numbers(name, values.to_numpy()).astype(np.float64)


def label_names(names: Sequence[str]) -> list[str]:
    """Those of `names` that look like a label, case-insensitive: `is_anomaly`, `Label`, `y`.

    Beside an `x` a `y` is a coordinate.
    """
    plain = {name: re.sub(r"[^0-9a-z]", "", name.casefold()) for name in names}
    coordinates = "x" in plain.values()
    return [
        name
        for name, letters in plain.items()
        if _LABEL.fullmatch(letters) and not (coordinates and letters == "y")
    ]
