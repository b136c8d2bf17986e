"""Rules for a sensor over a day: stuck, constant, or suddenly in another unit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, Feature
from pipeline.data.faults import Faults, Mask
from pipeline.data.grid import cadence_ns
from pipeline.utc_day import DAY_NS

_WHOLE_DAY = 0.5  # a day counts as constant if at least this share of its rows were seen


def check_sensors(
    numbers: pd.DataFrame,
    key: pd.DataFrame,
    usable: Mask,
    columns: Columns,
    faults: Faults,
    at_rest: Callable[[str], Mask] | None = None,
) -> None:
    """Report the rows of stuck, constant and implausible sensor days.

    Args:
        numbers: float64 features, n rows.
        key: `day`, `machine` (codes) and `slot` (nanoseconds) of each row; a run of rows ends
            where a grid point is absent.
        usable: rows with a trustworthy key; at most one for each key.
        columns: which features to check against which limits.
        faults: receives the faults.
        at_rest: the rows, of all n, on whose day a channel has never moved: it is not constant but
            unused; None: there are none.
    """
    rows = np.flatnonzero(usable)
    day, machine, slot = (key[name].to_numpy() for name in ("day", "machine", "slot"))
    rows = rows[np.lexsort((slot[rows], day[rows], machine[rows]))]
    follows = (
        (np.diff(machine[rows]) == 0)
        & (np.diff(slot[rows]) == cadence_ns(columns.cadence))
        # A partition is validated alone, so that a range gives the same result.
        & (np.diff(day[rows]) == 0)
    )
    for name, feature in columns.features.items():
        values = numbers[name].to_numpy()[rows]
        if feature.stuck_after is not None:
            _check_stuck(name, feature, values, rows, follows, columns.cadence, faults)
        group = (machine[rows], day[rows])
        asked = np.ones(len(rows), dtype=bool) if at_rest is None else ~at_rest(name)[rows]
        _check_day(name, feature, values, rows, group, asked, columns.cadence, faults)


def _check_stuck(
    name: str,
    feature: Feature,
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
    follows: Mask,
    cadence: timedelta,
    faults: Faults,
) -> None:
    if not len(rows) or feature.stuck_after is None:
        return
    same = follows & (values[1:] == values[:-1])  # NaN equals nothing, so it ends a run
    run = np.concatenate([[0], np.cumsum(~same)])
    length = np.bincount(run)
    stuck = (length - 1) * cadence_ns(cadence) > pd.Timedelta(feature.stuck_after).value
    # A run is a slice of the sorted rows: its detail is built once.
    first = np.cumsum(length) - length
    limit = _span(feature.stuck_after)
    by_run = [
        f"{name} stays at {value:g} {feature.unit} for {rows_of_run} rows; limit {limit}"
        for value, rows_of_run in zip(values[first[stuck]], length[stuck], strict=True)
    ]
    details = np.repeat(np.array(by_run, dtype=object), length[stuck])
    faults.add(rows[stuck[run]], "stuck_sensor", name, details)


def _check_day(
    name: str,
    feature: Feature,
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
    key: tuple[NDArray[np.intp], NDArray[np.int64]],
    asked: Mask,
    cadence: timedelta,
    faults: Faults,
) -> None:
    group = pd.Series(np.where(np.isfinite(values), values, np.nan)).groupby(list(key))
    lowest, highest = group.transform("min").to_numpy(), group.transform("max").to_numpy()
    seen = group.transform("count").to_numpy()
    if not feature.may_be_constant:
        enough = max(2.0, _WHOLE_DAY * (DAY_NS / cadence_ns(cadence)))
        constant = (lowest == highest) & (seen >= enough) & asked
        details = [f"{name} is {value:g} {feature.unit} all day" for value in lowest[constant]]
        faults.add(rows[constant], "constant_sensor", name, details)
    if feature.day_median is not None:
        low, high = feature.day_median
        median = group.transform("median").to_numpy()
        strange = (median < low) | (median > high)
        details = [
            f"the day's median of {name} is {value:g} {feature.unit}; limit {low:g} to {high:g} "
            f"{feature.unit}"
            for value in median[strange]
        ]
        faults.add(rows[strange], "implausible_day", name, details)


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:g} h" if hours >= 1 else f"{hours * 60:g} min"
