"""The columns that the model reads, derived from accepted raw rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.grid import nanoseconds, slots
from pipeline.data.precision import in_float32
from pipeline.data.raw_values import truth
from pipeline.errors import DataError
from pipeline.utc_day import DAY_NS


def derive(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Timestamp, entity, `columns.feature_columns` as float32, evaluation columns; same rows.

    Angles in degrees become sine and cosine. An offset is subtracted in float64, before the digits
    are cut off. A peer deviation is the value minus the median of the
    other entities at the same grid point; NaN where fewer than `minimum_peers` have the value. What
    is derived from an absent value is absent.

    Raises:
        DataError: `frame` lacks a feature, a mark is neither true nor false, or deviations are
            asked of rows without time or entity.
    """
    _refuse_incomplete(frame, columns)
    kept = [columns.timestamp, columns.entity]
    result = frame[[name for name in kept if name is not None and name in frame]].copy()
    for name, feature in columns.features.items():
        values = frame[name].to_numpy(dtype=np.float64)
        held = columns.own_columns(name)
        if feature.circular:
            result[held[0]] = np.sin(np.deg2rad(values)).astype(np.float32)
            result[held[1]] = np.cos(np.deg2rad(values)).astype(np.float32)
        else:
            result[held[0]] = in_float32(values, feature.offset)
    compared = [(name, each.minimum_peers) for each in columns.derived for name in each.of]
    if compared:
        deviations = _against_peers(frame, compared, columns)
        for place, (name, _) in enumerate(compared):
            result[f"{name}_vs_peers"] = deviations[:, place].astype(np.float32)
    for name in columns.evaluation_only:
        if name in frame:
            result[name] = (
                truth(frame[name], name)
                if name in columns.marks
                else pd.to_numeric(frame[name], errors="coerce").astype("float64").to_numpy()
            )
    return result


def _against_peers(
    frame: pd.DataFrame, compared: Sequence[tuple[str, int]], columns: Columns
) -> NDArray[np.float64]:
    """Value minus the median of the others at the same time, shape (n, len(compared)).

    `compared` are channels, and how many others must have the value.
    """
    row = _moments(frame[columns.timestamp], columns)
    machine, entities = pd.factorize(frame[columns.entity], sort=True)
    values = frame[[name for name, _ in compared]].to_numpy(dtype=np.float64)
    if len(np.unique(row * len(entities) + machine)) < len(frame):
        msg = (
            "Several rows share one entity and time, so that peers cannot be distinguished; ingest "
            "the data first, which keeps one of them."
        )
        raise DataError(msg)
    deviations = np.empty_like(values)
    for place, (_, least) in enumerate(compared):
        grid = np.full((row.max(initial=-1) + 1, len(entities)), np.nan)
        grid[row, machine] = values[:, place]
        deviations[:, place] = values[:, place] - median_of_others(grid, least)[row, machine]
    return deviations


def _moments(times: pd.Series, columns: Columns) -> NDArray[np.intp]:
    """The number of each row's grid point; days do not share that of the next midnight.

    So a day's rows have the same peers whether its neighbour is there or not.
    """
    slot = slots(times, columns.cadence)
    early = slot // DAY_NS > nanoseconds(times) // DAY_NS
    _, row = np.unique(slot - early, return_inverse=True)
    return row


def median_of_others(grid: NDArray[np.float64], least: int = 1) -> NDArray[np.float64]:
    """For each cell, the median of the other finite cells of its row; NaN of fewer than `least`.

    Leaving one out of a sorted row moves the middle by at most one place, so one sort serves all.
    """
    order = np.argsort(grid, axis=1, kind="stable")  # NaN sorts last
    ordered = np.take_along_axis(grid, order, axis=1)
    rank = np.argsort(order, axis=1, kind="stable")
    present = ~np.isnan(grid)
    others = present.sum(axis=1, keepdims=True) - present

    def other(place: NDArray[np.intp]) -> NDArray[np.float64]:
        skips = present & (rank <= place)
        clipped = np.clip(place + skips, 0, grid.shape[1] - 1)
        found: NDArray[np.float64] = np.take_along_axis(ordered, clipped, axis=1)
        return found

    median = (other((others - 1) // 2) + other(others // 2)) / 2
    return np.where(others >= max(least, 1), median, np.nan)


def _refuse_incomplete(frame: pd.DataFrame, columns: Columns) -> None:
    needed = [*columns.features]
    if columns.derived:
        needed += [columns.timestamp, str(columns.entity)]
    absent = [name for name in needed if name not in frame]
    if absent:
        msg = (
            f"The data have no column {', '.join(absent)}; they have "
            f"{', '.join(map(str, frame.columns))}. Deliver it, or take it out of schema."
        )
        raise DataError(msg)
    for name in columns.features:
        if frame[name].dtype.kind in "mM":
            msg = f"Column {name!r} holds {frame[name].dtype}, not numbers; convert it first."
            raise DataError(msg)
