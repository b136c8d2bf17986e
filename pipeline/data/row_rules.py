"""All rules for rows, applied in one go to any number of days. Pure; the order is irrelevant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.data.channels_left import reject_rows_with_few_channels
from pipeline.data.faults import Faults, Mask
from pipeline.data.fingerprint import row_hashes
from pipeline.data.grid import cadence_ns, day_number, nanoseconds, slots
from pipeline.data.precision import check_precision, check_range
from pipeline.data.resting import Before, MeasuredRows, NeverMoved, never_moved
from pipeline.data.sensors import check_sensors
from pipeline.data.sources.shaping import FILED_DAY, NOTES, TIME_FAULT
from pipeline.data.values import check_marks, check_values
from pipeline.utc_day import DAY_NS

_UNTRUSTED = ("unusable_time", "outside_day", "off_grid", "unknown_entity", "no_measurement")


def check_duplicates(
    key: pd.DataFrame, raw: pd.DataFrame, candidates: Mask, faults: Faults
) -> None:
    """Report all rows but one of each key as duplicates.

    A row without fault is preferred to one with a fault; among equals the one whose content hashes
    lowest stays, which is arbitrary but does not depend on the order of delivery.

    Args:
        key: day, machine and grid point of each row, n rows.
        raw: the rows themselves.
        candidates: rows whose key can be trusted.
        faults: receives the faults, and knows which rows broke a rule before.
    """
    rows = np.flatnonzero(candidates & key.duplicated(keep=False).to_numpy())
    if not len(rows):
        return
    content = row_hashes(raw.iloc[rows])
    order = np.lexsort((content, faults.any[rows]))
    ranked, content = rows[order], content[order]
    groups = key.iloc[ranked].reset_index(drop=True)
    position = groups.groupby(list(groups.columns), sort=False).cumcount().to_numpy()
    first = pd.Series(content).groupby([groups[c] for c in groups], sort=False)
    stays = first.transform("first").to_numpy()
    surplus = position > 0
    identical = surplus & (content == stays)
    faults.add(ranked[identical], "duplicate", None, "a row with the same content is kept")
    conflicting = surplus & ~identical
    faults.add(
        ranked[conflicting],
        "conflicting_duplicate",
        None,
        "another row for the same machine and time, with other values, is kept",
    )


@dataclass(frozen=True)
class Keys:
    """The day, machine and grid point of each of n rows.

    Attributes:
        day: the partition, in days since 1970.
        machine: index into `names`, -1 where the entity is missing.
        names: the entities; one empty name when there is only one machine.
        slot: the grid point, in nanoseconds since 1970.
    """

    day: NDArray[np.int64]
    machine: NDArray[np.intp]
    names: tuple[str, ...]
    slot: NDArray[np.int64]


def keys_of(raw: pd.DataFrame, columns: Columns, days: Sequence[date], faults: Faults) -> Keys:
    """The keys of `raw`; a row of none of `days` is a fault and counted with the first.

    Unless its source assigned it to another day: see `pipeline.data.sources.shaping`.
    """
    moments = raw[columns.timestamp]
    day = days_of_rows(raw, columns.timestamp)
    numbers = [day_number(day) for day in days]
    strange = ~np.isin(day, numbers)
    outside = np.flatnonzero(strange | (moments.notna().to_numpy() & _is_filed(raw)))
    details = [f"{moment} is not in the day" for moment in moments.iloc[outside]]
    faults.add(outside, "outside_day", None, details)
    day[strange] = numbers[0]
    slot = slots(raw[columns.timestamp], columns.cadence)
    if columns.entity is None or columns.entity not in raw:
        return Keys(day, np.zeros(len(raw), dtype=np.intp), ("",), slot)
    codes, names = pd.factorize(raw[columns.entity], sort=True)
    return Keys(day, codes.astype(np.intp), tuple(str(name) for name in names), slot)


def days_of_rows(raw: pd.DataFrame, timestamp: str) -> NDArray[np.int64]:
    """The day of each row, since 1970: the one its source assigned, else that of its time."""
    day = nanoseconds(raw[timestamp]) // DAY_NS
    if FILED_DAY not in raw:
        return day
    filed = raw[FILED_DAY].to_numpy(dtype=np.float64)
    return np.where(np.isnan(filed), day, np.nan_to_num(filed)).astype(np.int64)


def _is_filed(raw: pd.DataFrame) -> NDArray[np.bool_]:
    if FILED_DAY not in raw:
        return np.zeros(len(raw), dtype=bool)
    filed: NDArray[np.bool_] = raw[FILED_DAY].notna().to_numpy()
    return filed


def check_rows(
    raw: pd.DataFrame,
    numbers: pd.DataFrame,
    keys: Keys,
    spec: DetectorSpec,
    faults: Faults,
    before: Before,
) -> NeverMoved:
    """Report every row of `raw` that breaks a rule; return which channels have never moved.

    `numbers` is `raw` with features as float64, `before` what is known of the days before.
    """
    columns = spec.columns
    _check_times(raw, keys, spec, faults)
    unmeasured = raw[list(columns.features)].isna().all(axis=1).to_numpy()
    faults.add(np.flatnonzero(unmeasured), "no_measurement", None, "every feature is missing")
    check_marks(raw, columns, faults)
    check_values(numbers, columns, faults, missing=spec.validation.missing_cells > 0)
    check_range(numbers, columns, faults)

    trusted = ~faults.broke(*_UNTRUSTED)
    # The day is part of every key: the grid point nearest to a row of the last minutes of a day
    # belongs to the next one, and a day must be judged alike with and without its neighbour.
    key = pd.DataFrame({"day": keys.day, "machine": keys.machine, "slot": keys.slot})
    check_duplicates(key, raw.drop(columns=list(NOTES), errors="ignore"), trusted, faults)
    trusted &= ~faults.broke("duplicate", "conflicting_duplicate")
    measured = MeasuredRows(numbers[trusted], keys.machine[trusted], keys.day[trusted], keys.names)
    resting = never_moved(measured, columns, before)
    check_sensors(
        numbers,
        key,
        trusted,
        columns,
        faults,
        lambda name: resting.rows_of(name, keys.machine, keys.day, keys.names),
    )
    check_precision(numbers, key, columns, faults)
    reject_rows_with_few_channels(numbers, spec, faults)
    _check_peers(keys, columns, faults)
    return resting


def _check_times(raw: pd.DataFrame, keys: Keys, spec: DetectorSpec, faults: Faults) -> None:
    moments, limit = raw[spec.columns.timestamp], spec.validation.cadence_tolerance
    if TIME_FAULT in raw:
        doubtful = np.flatnonzero(raw[TIME_FAULT].notna())
        faults.add(doubtful, "unusable_time", None, list(raw[TIME_FAULT].iloc[doubtful]))
    absent = np.flatnonzero(moments.isna())
    faults.add(absent, "unusable_time", None, "the time is missing")
    distance = np.abs(nanoseconds(moments) - keys.slot) / cadence_ns(spec.columns.cadence)
    off = np.flatnonzero((distance > limit) & moments.notna().to_numpy())
    details = [
        f"{moment} is {share:.0%} of the cadence off the grid; limit {limit:.0%}"
        for moment, share in zip(moments.iloc[off], distance[off], strict=True)
    ]
    faults.add(off, "off_grid", None, details)


def _check_peers(keys: Keys, columns: Columns, faults: Faults) -> None:
    needed = max((derived.minimum_peers for derived in columns.derived), default=0)
    fit = np.flatnonzero(~faults.rejected)
    slot = pd.Series(keys.slot[fit])
    peers = slot.groupby([keys.day[fit], keys.slot[fit]]).transform("size").to_numpy() - 1
    lonely = peers < needed
    details = [f"{count} other machines have a fit row; limit {needed}" for count in peers[lonely]]
    faults.add(fit[lonely], "too_few_peers", None, details)
