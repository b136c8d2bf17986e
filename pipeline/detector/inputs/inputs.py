"""Conversion of named columns to the float32 rows that the graph takes; bad values are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.inputs.schema import Offset
from pipeline.detector.inputs.scored import Rows
from pipeline.errors import DataError

_NAMED = 5  # columns listed in a message before it says "and n more"


def as_rows(
    columns: Mapping[str, NDArray[Any]],
    features: Sequence[str],
    *,
    missing: bool = False,
    offsets: Sequence[Offset] = (),
) -> Rows:
    """The `features` of `columns` side by side, shape (n, d), float32 and finite.

    Floats, integers and booleans of any width are accepted. Where `missing` is true a value may
    be missing, and is NaN; a column may not.

    Raises:
        DataError: a feature is missing, not numeric, or has values that are not finite numbers;
            the message names the columns and counts the rows.
    """
    rows = unchecked_rows(columns, features, offsets)
    refuse_not_finite(rows, features, missing=missing)
    return rows


def unchecked_rows(
    columns: Mapping[str, NDArray[Any]], features: Sequence[str], offsets: Sequence[Offset] = ()
) -> Rows:
    """Like `as_rows`, but what float32 cannot hold is infinite, and a missing value is NaN.

    A feature of `offsets` may also come raw, under its column's own name.

    Raises:
        DataError: a feature is missing or not numeric.
    """
    raw = {each.feature: each for each in offsets if each.column in columns}
    absent = [name for name in features if name not in columns and name not in raw]
    if absent:
        msg = (
            f"{len(absent)} of {len(features)} feature columns are absent: {named(absent)}. The "
            "detector needs every column that it was fitted on, under the same name."
        )
        raise DataError(msg)
    first = features[0] if features[0] in columns else raw[features[0]].column
    rows = np.empty((len(columns[first]), len(features)), dtype=np.float32)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf
        for position, name in enumerate(features):
            if name in columns:
                rows[:, position] = as_numbers(name, columns[name])
            else:
                held = as_numbers(raw[name].column, columns[raw[name].column])
                rows[:, position] = held.astype(np.float64) - raw[name].offset
    return rows


def refuse_not_finite(rows: Rows, features: Sequence[str], *, missing: bool = False) -> None:
    """Refuse rows that are not finite; missing values (NaN) are allowed where `missing` is true.

    Raises:
        DataError: NaN, infinity, or a number beyond float32.
    """
    # One sum finds any NaN or infinity without a mask of all values; float64 cannot overflow here.
    with np.errstate(invalid="ignore"):  # infinities of both signs
        total = rows.sum(dtype=np.float64)
    if np.isfinite(total):
        return
    bad = np.isinf(rows) if missing else ~np.isfinite(rows)
    if not bad.any():
        return
    by_column = dict(zip(features, bad.sum(axis=0).tolist(), strict=True))
    raise DataError(
        not_finite_message(
            by_column,
            int(bad.any(axis=1).sum()),
            len(rows),
            missing=missing,
            absent=bool(np.isnan(rows).any()),
        )
    )


def not_finite_message(
    by_column: Mapping[str, int], bad: int, of: int, *, missing: bool, absent: bool
) -> str:
    """The error message for rows with values that are not finite.

    Args:
        by_column: number of values that are not finite, by column.
        bad: number of rows with such values.
        of: number of all rows.
        missing: whether values may be missing.
        absent: whether some are missing.
    """
    listed = [f"{name} ({count:,})" for name, count in by_column.items() if count]
    kinds = "infinite or beyond 3.4e38" if missing else "NaN, infinite or beyond 3.4e38"
    fix = "No sensor measures that: drop these rows, or leave the columns out of the detector."
    if absent and not missing:
        fix = (
            "A missing value is never normal: drop these rows, leave the columns out of the "
            "detector, or let values be missing (validation.missing_cells together with "
            "model.family: masked in the detector's file) and fit again."
        )
    return (
        f"{bad:,} of {of:,} rows hold values that are not finite numbers ({kinds}), in: "
        f"{named(listed)}. {fix}"
    )


def refuse_empty(rows: Rows, judged: Sequence[bool]) -> None:
    """Refuse rows without any judged value; `judged` has one flag for each column of `rows`.

    Raises:
        DataError: every judged value of some rows is missing.
    """
    empty = int(np.isnan(rows[:, np.flatnonzero(judged)]).all(axis=1).sum())
    if empty:
        msg = (
            f"{empty:,} of {len(rows):,} rows lack every feature that is judged; at least one is "
            "needed. Drop these rows: nothing was measured, so nothing can be scored."
        )
        raise DataError(msg)


def refuse_unseen(rows: Rows, features: Sequence[str]) -> None:
    """Refuse training rows in which a feature never occurs.

    Raises:
        DataError: a feature is missing in every row.
    """
    unseen = [features[j] for j in np.flatnonzero(np.isnan(rows).all(axis=0)).tolist()]
    if unseen:
        msg = (
            f"{named(unseen)}: missing in all {len(rows):,} training rows, so that nothing can be "
            "learned about it. Deliver it, or take it out of schema.features."
        )
        raise DataError(msg)


def named(names: Sequence[str]) -> str:
    """The first few names and the number of the others."""
    rest = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED])
    return f"{listed} and {rest} more" if rest > 0 else listed


def as_numbers(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """The numbers of a column; missing ones are NaN.

    Raises:
        DataError: the values are not numbers.
    """
    if values.dtype.kind in "fiub":
        return values
    if values.dtype.kind in "mM":
        # numpy would take a time for a number, in whatever unit the writer chose.
        msg = f"Column {name!r} holds {values.dtype}, not numbers; convert it to a number first."
        raise DataError(msg)
    try:
        # Nullable and decimal columns arrive as objects; None becomes NaN.
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"Column {name!r} holds {values.dtype}, not numbers ({error}). Convert it first."
        raise DataError(msg) from error
