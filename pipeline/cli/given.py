"""Rows of a table as a detector's input, and which of them cannot be scored.

A row that ingestion would put into quarantine has no score, is not a peer of others, and ends the
windows around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.detector.inputs.arrow import to_numpy
from pipeline.detector.inputs.inputs import as_numbers, unchecked_rows
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows

if TYPE_CHECKING:
    from pipeline.config import Columns

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Given:
    """n rows of a table.

    Attributes:
        table: the rows as they came.
        rows: their features, shape (n, d).
        broken: rows that cannot be scored because of their own values, shape (n,).
        bad: the rows in question by column, shape (n,).
        absent: rows with a missing value that is not allowed, shape (n,).
    """

    table: pa.Table
    rows: Rows
    broken: Mask
    bad: dict[str, Mask]
    absent: Mask


def given_rows(table: pa.Table, schema: Schema) -> Given:
    """The rows of `table`, with circular and derived features computed if they are absent.

    Raises:
        DataError: a column is absent or not numeric, or rows cannot be derived.
    """
    if schema.source_columns is None or set(schema.features) <= set(table.column_names):
        wanted = [*schema.features, *(each.column for each in schema.offsets)]
        columns = {n: to_numpy(table[n]) for n in wanted if n in table.column_names}
        return _given(table, columns, schema, {})
    from pipeline.config import Columns  # here: rows without derived features need no pandas
    from pipeline.data.derive import derive

    columns_of_file = Columns.model_validate(schema.source_columns)
    frame = table.to_pandas()
    names = [name for name in columns_of_file.features if name in frame]
    values = {name: as_numbers(name, frame[name].to_numpy()) for name in names}
    bad = _bad(values, columns_of_file, missing=schema.takes_missing)
    broken = _any(bad, len(frame))
    kept = {name: np.where(broken, np.nan, values[name]) for name in names}
    derived = derive(frame.assign(**kept), columns_of_file)
    return _given(table, {str(name): derived[name].to_numpy() for name in derived}, schema, bad)


def _bad(values: dict[str, NDArray[Any]], columns: Columns, *, missing: bool) -> dict[str, Mask]:
    """Masks by column: raw values that are infinite in float32, or missing but required."""
    from pipeline.data.precision import in_float32

    stored = {
        name: in_float32(held.astype(np.float64), columns.features[name].offset)
        for name, held in values.items()
    }
    return {
        name: np.isinf(held) | (np.isnan(held) & (not missing)) for name, held in stored.items()
    }


def _given(
    table: pa.Table, columns: dict[str, NDArray[Any]], schema: Schema, bad: dict[str, Mask]
) -> Given:
    rows = unchecked_rows(columns, schema.features, schema.offsets)
    before = _any(bad, len(rows))
    if not before.any() and np.isfinite(rows).all():
        return Given(table, rows, before, {}, before)
    doubtful = np.isinf(rows) if schema.takes_missing else ~np.isfinite(rows)
    # A row that was broken before lacks all its features now: its raw columns are the cause.
    own = doubtful & ~before[:, None]
    if schema.takes_missing:
        judged = np.flatnonzero(schema.judged)
        own[:, judged] |= (np.isnan(rows[:, judged]).all(axis=1) & ~before)[:, None]
    found = {name: own[:, at] for at, name in enumerate(schema.features) if own[:, at].any()}
    bad = {**bad, **found}
    absent: Mask = np.asarray(np.isnan(rows).any(axis=1))
    return Given(table, rows, _any(bad, len(rows)), bad, absent)


def _any(masks: dict[str, Mask], n: int) -> Mask:
    found = np.zeros(n, dtype=bool)
    for each in masks.values():
        found |= each
    return found
