"""A data frame as a detector reads it: feature values and timeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.data.sources.times import moments_of
from pipeline.data.timeline import Timeline, machines
from pipeline.detector.inputs.inputs import as_rows, unchecked_rows
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.errors import DataError

_NS = 1_000_000_000


def feature_values(frame: pd.DataFrame, schema: Schema, *, partial: bool = False) -> Rows:
    """The feature columns of `frame`, shape (rows, d), in the detector's order.

    Columns may have any order; columns that are not features are ignored. A missing value is NaN
    where the schema takes missing values, or `partial` rows are allowed, of which a channel has
    failed (see `failed_cells`). A feature with an offset may also come raw.

    Raises:
        DataError: a feature is missing, not numeric or not finite.
    """
    return as_rows(
        _held(frame, schema),
        schema.features,
        missing=schema.takes_missing or partial,
        offsets=schema.offsets,
    )


def failed_cells(rows: Rows, schema: Schema) -> NDArray[np.bool_]:
    """The cells of partial rows that are not measured and not known to the network, shape (n, d).

    None where the schema takes missing values: the network was trained with them.
    """
    if schema.takes_missing:
        return np.zeros(rows.shape, dtype=bool)
    missing: NDArray[np.bool_] = np.isnan(rows)
    return missing


def unchecked_values(frame: pd.DataFrame, schema: Schema) -> Rows:
    """Like `feature_values`, but values need not be finite."""
    return unchecked_rows(_held(frame, schema), schema.features, schema.offsets)


def _held(frame: pd.DataFrame, schema: Schema) -> dict[str, NDArray[Any]]:
    wanted = [*schema.features, *(each.column for each in schema.offsets)]
    return {name: frame[name].to_numpy() for name in wanted if name in frame}


def timeline_of(frame: pd.DataFrame, schema: Schema) -> Timeline | None:
    """The timeline of `frame`; None for a detector whose rows have no time.

    Raises:
        DataError: the time or entity column is missing, or a time is.
    """
    if schema.timestamp is None or schema.cadence_s is None:
        return None
    for column in (schema.timestamp, schema.entity):
        if column is not None and column not in frame:
            msg = f"The rows have no column {column!r}, which gives their order; add it."
            raise DataError(msg)
    time = utc_of(frame[schema.timestamp], schema.timestamp)
    return Timeline(time.asi8, *machines(frame, schema.entity), round(schema.cadence_s * _NS))


def utc_of(stamps: pd.Series, column: str) -> pd.DatetimeIndex:
    """The times of a `column` in UTC, read as ingestion reads them; UTC where no offset is given.

    Raises:
        DataError: a time is missing, or cannot be read.
    """
    moments = moments_of(stamps, "UTC")
    lost = moments.utc.isna().to_numpy()
    if lost.any():
        msg = (
            f"{np.count_nonzero(lost):,} of {len(lost):,} rows have no {column} that can be read; "
            f"the first: {moments.fault[lost].iloc[0]}. Correct or drop them, as their order is "
            "unknown."
        )
        raise DataError(msg)
    return pd.DatetimeIndex(moments.utc)
