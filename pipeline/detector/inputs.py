"""Named columns to the float32 rows that the graph takes; nothing doubtful gets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.schema import Offset
from pipeline.detector.scored import Rows
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
    be absent, and is NaN; a column may not.

    Raises:
        DataError: a feature is absent, not numeric, or has values that are not finite numbers;
            the message names the columns and counts the rows.
    """
    rows = unchecked_rows(columns, features, offsets)
    refuse_not_finite(rows, features, missing=missing)
    return rows


def unchecked_rows(
    columns: Mapping[str, NDArray[Any]], features: Sequence[str], offsets: Sequence[Offset] = ()
) -> Rows:
    """As `as_rows`, but what float32 cannot hold is infinite, and what is absent NaN.

    A feature of `offsets` may also come raw, under its column's own name.

    Raises:
        DataError: a feature is absent or not numeric.
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
    """Let finite rows pass; those with absent values (NaN) too, where `missing` is true.

    Raises:
        DataError: NaN, infinity, or a number beyond float32.
    """
    # One sum sees any NaN or infinity without a mask of the whole; float64 cannot overflow here.
    with np.errstate(invalid="ignore"):  # infinities of both signs
        total = rows.sum(dtype=np.float64)
    if np.isfinite(total):
        return
    bad = np.isinf(rows) if missing else ~np.isfinite(rows)
    if not bad.any():
        return
    by_column = dict(zip(features, bad.sum(axis=0).tolist(), strict=True))
    raise DataError(
        told_not_finite(
            by_column,
            int(bad.any(axis=1).sum()),
            len(rows),
            missing=missing,
            absent=bool(np.isnan(rows).any()),
        )
    )


def told_not_finite(
    by_column: Mapping[str, int], bad: int, of: int, *, missing: bool, absent: bool
) -> str:
    """What to say of rows that hold no finite numbers.

    Args:
        by_column: how many values of each column are not finite.
        bad: how many rows.
        of: of how many.
        missing: whether values may be absent.
        absent: whether some are.
    """
    told = [f"{name} ({count:,})" for name, count in by_column.items() if count]
    kinds = "infinite or beyond 3.4e38" if missing else "NaN, infinite or beyond 3.4e38"
    mend = "No sensor measures that: drop these rows, or leave the columns out of the detector."
    if absent and not missing:
        mend = (
            "A missing value is never normal: drop these rows, leave the columns out of the "
            "detector, or let values be missing (validation.missing_cells together with "
            "model.family: masked in the detector's file) and fit again."
        )
    return (
        f"{bad:,} of {of:,} rows hold values that are not finite numbers ({kinds}), in: "
        f"{named(told)}. {mend}"
    )


def refuse_empty(rows: Rows, judged: Sequence[bool]) -> None:
    """Let rows pass that have something to judge; `judged` is for each column of `rows`.

    Raises:
        DataError: of some rows every judged value is absent.
    """
    empty = int(np.isnan(rows[:, np.flatnonzero(judged)]).all(axis=1).sum())
    if empty:
        msg = (
            f"{empty:,} of {len(rows):,} rows lack every feature that is judged; one at least is "
            "needed. Drop these rows: nothing was measured, which is no anomaly of a measurement."
        )
        raise DataError(msg)


def refuse_unseen(rows: Rows, features: Sequence[str]) -> None:
    """Let training rows pass in which every feature occurs.

    Raises:
        DataError: a feature is absent from every row.
    """
    unseen = [features[j] for j in np.flatnonzero(np.isnan(rows).all(axis=0)).tolist()]
    if unseen:
        msg = (
            f"{named(unseen)}: missing in all {len(rows):,} training rows, so that nothing can be "
            "learnt of it. Deliver it, or take it out of schema.features."
        )
        raise DataError(msg)


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED])
    return f"{listed} and {rest} more" if rest > 0 else listed


def as_numbers(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """The numbers of a column; absent ones are NaN.

    Raises:
        DataError: they are none.
    """
    if values.dtype.kind in "fiub":
        return values
    if values.dtype.kind in "mM":
        # numpy would take the count of a unit that some writer chose for a number.
        msg = f"Column {name!r} holds {values.dtype}, not numbers; convert it to a number first."
        raise DataError(msg)
    try:
        # Nullable and decimal columns arrive as objects; None becomes NaN.
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"Column {name!r} holds {values.dtype}, not numbers ({error}). Convert it first."
        raise DataError(msg) from error
