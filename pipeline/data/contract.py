"""The data contract: which rows of a day are fit for use, and whether the day is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.data.faults import HARMLESS, Faults, counted
from pipeline.data.grid import day_number, slots_of
from pipeline.data.missing_channels import missing_channels
from pipeline.data.plant_faults import plant_faults
from pipeline.data.resting import Before, NeverMoved, Resting
from pipeline.data.row_rules import Keys, check_rows, days_of_rows, keys_of
from pipeline.data.row_text import as_json
from pipeline.data.sources.shaping import ABSENT, NOTES, TIME_TEXT, declared
from pipeline.data.values import as_numbers, missing_columns
from pipeline.data.verdicts import Report, blocking_reasons
from pipeline.utc_day import DAY_NS

REJECTED_COLUMNS = ("timestamp", "entity", "rule", "feature", "detail", "row")
BLOCKED = "partition_blocked"
"""The rule for rows that are fit themselves but belong to a blocked day."""

_NO_PLACE = ("unusable_time", "outside_day", "unknown_entity", "no_measurement")


@dataclass(frozen=True)
class Validated:
    """One day after validation.

    Attributes:
        accepted: declared columns of the rows that are fit, features float64, by time and entity.
            A cell that broke a rule is NaN.
        rejected: REJECTED_COLUMNS; `row` is the whole raw row as JSON, so nothing is lost.
        cells: the same columns, one record for each such cell of an accepted row; the first one of
            a row holds the raw row.
        report: counts, verdict and reasons.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    cells: pd.DataFrame
    report: Report


def validate_days(
    frame: pd.DataFrame, spec: DetectorSpec, days: Sequence[date], before: Before = None
) -> dict[date, Validated]:
    """Sort the raw rows in `frame` into telemetry of each of `days` and quarantine.

    Each day is judged as if it were alone, but that a channel which has never moved is at rest and
    not broken: `before` are those on the days before.
    """
    if ABSENT in frame:
        return _by_what_is_absent(frame, spec, days, before)
    raw = frame.reset_index(drop=True)
    faults = Faults(len(raw))
    keys = keys_of(raw, spec.columns, days, faults)
    absent = missing_columns(raw, spec.columns)
    numbers = raw if absent else as_numbers(raw, spec.columns, faults)
    resting = NeverMoved(before)
    if not absent:
        resting = check_rows(raw, numbers, keys, spec, faults, before)
    # Rows are sorted out by number for each day, and turned into frames for all days at once.
    sorted_out = {day: _sort_out(keys, spec, day, faults, absent) for day in sorted(days)}
    whole = numbers if absent else _without_broken_cells(numbers, spec.columns, faults)
    accepted = _by_day(
        [each.fit for each in sorted_out.values()], lambda rows: _accepted(whole, rows, spec)
    )
    rejected = _by_day(
        [each.rejected for each in sorted_out.values()],
        lambda rows: _rejected(raw, rows, keys, spec, faults),
    )
    return {
        day: _validated(
            replace(each, resting=resting.after(day_number(day))),
            good,
            bad,
            _cells(raw, each.fit, keys, spec, faults),
            day,
            spec,
        )
        for (day, each), good, bad in zip(sorted_out.items(), accepted, rejected, strict=True)
    }


def _by_what_is_absent(
    frame: pd.DataFrame, spec: DetectorSpec, days: Sequence[date], before: Before
) -> dict[date, Validated]:
    """Validate days whose files lack the same columns together, as if no file had these columns."""
    number = days_of_rows(frame, spec.columns.timestamp)
    lacking: dict[tuple[str, ...], list[date]] = {}
    for day in days:
        texts = frame.loc[number == day_number(day), ABSENT].dropna().unique()
        names = sorted({name for each in texts for name in each.split("\n")})
        lacking.setdefault(tuple(names), []).append(day)
    found: dict[date, Validated] = {}
    for absent, alike in lacking.items():
        rows = np.isin(number, [day_number(day) for day in alike])
        found |= validate_days(frame[rows].drop(columns=[ABSENT, *absent]), spec, alike, before)
    return found


@dataclass(frozen=True)
class _SortedOut:
    """One day's rows by their positions in the raw frame, and the reasons to refuse the day."""

    rows: NDArray[np.intp]
    fit: NDArray[np.intp]
    rejected: NDArray[np.intp]
    measured: dict[str, NDArray[np.int64]]
    reasons: tuple[str, ...]
    resting: tuple[Resting, ...] | None = None


def _sort_out(
    keys: Keys, spec: DetectorSpec, day: date, faults: Faults, absent: Sequence[str]
) -> _SortedOut:
    rows = np.flatnonzero(keys.day == day_number(day))
    broken = faults.rejected[rows]
    bad, fit = rows[broken], rows[~broken]
    measured = _measured(rows, keys, spec, faults)
    if not len(rows):
        reasons = ["the source delivered nothing for this day"]
    elif absent:
        reasons = [_absent_columns(absent, spec)]
    else:
        against = bad[~faults.broke(*HARMLESS, rows=bad)]
        causes = _causes(against, keys, spec, faults)
        reasons = list(blocking_reasons(measured, causes, len(against) + len(fit), spec, day))
        known = rows[(keys.machine[rows] >= 0) & ~faults.broke(*_NO_PLACE, rows=rows)]
        plant = plant_faults(known, keys.machine[known], spec.columns, faults)
        reasons += [found.reason for found in plant]
    if reasons:
        return _SortedOut(rows, fit[:0], rows, measured, tuple(reasons))
    return _SortedOut(rows, fit, bad, measured, ())


def _by_day(
    rows: Sequence[NDArray[np.intp]], frame_of: Callable[[NDArray[np.intp]], pd.DataFrame]
) -> list[pd.DataFrame]:
    """`frame_of` for each day's rows, computed for all days at once; it must keep their order."""
    ends = np.cumsum([len(each) for each in rows])
    frame = frame_of(np.concatenate(rows))
    return [
        frame.iloc[end - len(each) : end].reset_index(drop=True)
        for each, end in zip(rows, ends, strict=True)
    ]


def _validated(
    sorted_out: _SortedOut,
    accepted: pd.DataFrame,
    rejected: pd.DataFrame,
    cells: pd.DataFrame,
    day: date,
    spec: DetectorSpec,
) -> Validated:
    rows, measured, reasons = sorted_out.rows, sorted_out.measured, sorted_out.reasons
    shares = rejected["rule"].isna()  # a row without a fault of its own has that of its day
    if shares.any():
        fault = {"rule": BLOCKED, "detail": "; ".join(reasons)}
        rejected.loc[shares, list(fault)] = list(fault.values())
    expected = len(measured) * len(slots_of(day, spec.columns.cadence))
    present = sum(len(np.unique(seen)) for seen in measured.values())
    report = Report(
        day=day,
        expected=expected,
        delivered=len(rows),
        accepted=len(accepted),
        rejected=counted(rejected),
        completeness=present / expected if expected else None,
        verdict="empty" if not len(rows) else "quarantined" if reasons else "validated",
        reasons=reasons,
        partial=int(cells["row"].notna().sum()),
        missing=missing_channels(cells),
        resting=sorted_out.resting,
    )
    return Validated(accepted, rejected, cells, report)


def _measured(
    rows: NDArray[np.intp], keys: Keys, spec: DetectorSpec, faults: Faults
) -> dict[str, NDArray[np.int64]]:
    """Grid points with a measurement for each machine that the day should have."""
    placed = rows[~faults.broke(*_NO_PLACE, rows=rows)]
    placed = placed[keys.slot[placed] // DAY_NS == keys.day[placed]]
    placed = placed[keys.machine[placed] >= 0]
    placed = placed[np.argsort(keys.machine[placed], kind="stable")]
    known, first = np.unique(keys.machine[placed], return_index=True)
    parts = np.split(keys.slot[placed], first[1:])
    seen = {keys.names[code]: part for code, part in zip(known, parts, strict=False)}
    names = spec.columns.entities or (sorted(seen) if spec.columns.entity else ("",))
    nothing = np.empty(0, dtype=np.int64)
    return {name: seen.get(name, nothing) for name in names}


def _without_broken_cells(numbers: pd.DataFrame, columns: Columns, faults: Faults) -> pd.DataFrame:
    """`numbers`, in which cells that broke a rule are missing."""
    broken = {name: faults.cell(name) for name in columns.features if faults.cell(name).any()}
    return numbers.assign(**{name: numbers[name].mask(each) for name, each in broken.items()})


def _accepted(numbers: pd.DataFrame, rows: NDArray[np.intp], spec: DetectorSpec) -> pd.DataFrame:
    """The accepted rows by time and entity, so by day too: a fit row is of the day of its time."""
    names = [name for name in declared(spec.columns) if name in numbers]
    kept = numbers[names].iloc[rows]
    order = [name for name in spec.columns.row_key if name in kept]
    return kept.sort_values(order, ignore_index=True)


def _causes(
    rows: NDArray[np.intp], keys: Keys, spec: DetectorSpec, faults: Faults
) -> dict[str, NDArray[np.object_]]:
    return {
        "entity": _entities(rows, keys, spec),
        "rule": faults.rules_of(rows),
        "feature": faults.feature[rows],
        "detail": faults.detail[rows],
    }


def _rejected(
    raw: pd.DataFrame,
    rows: NDArray[np.intp],
    keys: Keys,
    spec: DetectorSpec,
    faults: Faults,
) -> pd.DataFrame:
    """The rows for quarantine; the rule of a row without a fault of its own is set later."""
    frame = pd.DataFrame(_causes(rows, keys, spec, faults))
    frame["timestamp"] = raw[spec.columns.timestamp].iloc[rows].array
    frame["row"] = pd.Series(_as_json(raw.iloc[rows], spec.columns), dtype="object")
    return frame[list(REJECTED_COLUMNS)]


def _cells(
    raw: pd.DataFrame,
    rows: NDArray[np.intp],
    keys: Keys,
    spec: DetectorSpec,
    faults: Faults,
) -> pd.DataFrame:
    """The records of the broken cells of the accepted `rows`, by time, entity and feature."""
    parts = []
    for name, held in faults.cells.items():
        at = rows[held.any[rows]]
        if len(at):
            part = {"at": at, "rule": held.rules_of(at), "detail": held.detail[at]}
            parts.append(pd.DataFrame(part).assign(feature=name))
    if not parts:
        return pd.DataFrame(columns=list(REJECTED_COLUMNS))
    found = pd.concat(parts, ignore_index=True)
    at = found["at"].to_numpy()
    found["timestamp"] = raw[spec.columns.timestamp].iloc[at].array
    found["entity"] = _entities(at, keys, spec)
    found = found.sort_values(["timestamp", "entity", "feature"], ignore_index=True)
    first = ~found.duplicated("at")
    texts = _as_json(raw.iloc[found.loc[first, "at"]], spec.columns)
    found["row"] = pd.Series(texts, index=found.index[first], dtype="object").reindex(found.index)
    return found[list(REJECTED_COLUMNS)]


def _entities(rows: NDArray[np.intp], keys: Keys, spec: DetectorSpec) -> NDArray[np.object_]:
    if spec.columns.entity is None:
        return np.full(len(rows), None, dtype=object)
    names = np.array([*keys.names, None], dtype=object)  # code -1, a missing name, is the last
    entities: NDArray[np.object_] = names[keys.machine[rows]]
    return entities


def _as_json(raw: pd.DataFrame, columns: Columns) -> list[str]:
    """Each row as JSON; a time that could not be read stays as it was delivered."""
    shown = raw.drop(columns=list(NOTES), errors="ignore")
    if TIME_TEXT in raw:
        unread = raw[TIME_TEXT].notna()
        times = shown[columns.timestamp].astype(object).mask(unread, raw[TIME_TEXT])
        shown = shown.assign(**{columns.timestamp: times})
    return as_json(shown, {columns.timestamp, str(columns.entity)})


def _absent_columns(absent: Sequence[str], spec: DetectorSpec) -> str:
    return (
        f"column {', '.join(absent)} is missing; limit: all of "
        f"{', '.join(declared(spec.columns))}: deliver it, map its name in source.rename, or take "
        "it out of schema"
    )
