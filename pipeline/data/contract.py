"""The data contract: which rows of a day are fit for use, and whether the day is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.data.faults import HARMLESS, Faults, counted
from pipeline.data.grid import DAY_NS, day_number, slots_of
from pipeline.data.row_rules import Keys, check_rows, keys_of
from pipeline.data.sources.shaping import TIME_FAULT, declared
from pipeline.data.values import as_numbers, missing_columns
from pipeline.data.verdicts import Report, blocking_reasons

REJECTED_COLUMNS = ("timestamp", "entity", "rule", "feature", "detail", "row")
BLOCKED = "partition_blocked"
"""The rule of rows that are fit themselves but belong to a day that is not."""

_NO_PLACE = ("unusable_time", "outside_day", "unknown_entity", "no_measurement")


@dataclass(frozen=True)
class Validated:
    """One day after validation.

    Attributes:
        accepted: declared columns of the rows that are fit, features float64, by time and entity.
        rejected: REJECTED_COLUMNS; `row` is the whole raw row as JSON, so nothing is lost.
        report: counts, verdict and reasons.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    report: Report


def validate(frame: pd.DataFrame, spec: DetectorSpec, day: date) -> Validated:
    """What of the raw rows in `frame` may become telemetry of `day`."""
    return validate_days(frame, spec, [day])[day]


def validate_days(
    frame: pd.DataFrame, spec: DetectorSpec, days: Sequence[date]
) -> dict[date, Validated]:
    """`validate` for many days at once; each day is judged as if it were alone."""
    raw = frame.reset_index(drop=True)
    faults = Faults(len(raw))
    keys = keys_of(raw, spec.columns, days, faults)
    absent = missing_columns(raw, spec.columns)
    numbers = raw if absent else as_numbers(raw, spec.columns, faults)
    if not absent:
        check_rows(raw, numbers, keys, spec, faults)
    return {day: _judged(raw, numbers, keys, spec, day, faults, absent) for day in days}


def _judged(
    raw: pd.DataFrame,
    numbers: pd.DataFrame,
    keys: Keys,
    spec: DetectorSpec,
    day: date,
    faults: Faults,
    absent: Sequence[str],
) -> Validated:
    rows = np.flatnonzero(keys.day == day_number(day))
    bad, fit = rows[faults.any[rows]], rows[~faults.any[rows]]
    measured = _measured(rows, keys, spec, faults)
    if not len(rows):
        reasons = ["the source delivered nothing for this day"]
    elif absent:
        reasons = [_absent_columns(absent, spec)]
    else:
        against = bad[~faults.broke(*HARMLESS)[bad]]
        told = _causes(against, keys, spec, faults)
        reasons = list(blocking_reasons(measured, told, len(against) + len(fit), spec, day))
    rejected = _rejected(raw, rows if reasons else bad, keys, spec, faults, reasons)
    fit = fit[:0] if reasons else fit
    expected = len(measured) * len(slots_of(day, spec.columns.cadence))
    present = sum(len(np.unique(seen)) for seen in measured.values())
    report = Report(
        day=day,
        expected=expected,
        delivered=len(rows),
        accepted=len(fit),
        rejected=counted(rejected),
        completeness=present / expected if expected else None,
        verdict="empty" if not len(rows) else "quarantined" if reasons else "validated",
        reasons=tuple(reasons),
    )
    return Validated(_accepted(numbers, fit, spec), rejected, report)


def _measured(
    rows: NDArray[np.intp], keys: Keys, spec: DetectorSpec, faults: Faults
) -> dict[str, NDArray[np.int64]]:
    """Grid points with a measurement for each machine that the day should have."""
    placed = rows[~faults.broke(*_NO_PLACE)[rows]]
    placed = placed[keys.slot[placed] // DAY_NS == keys.day[placed]]
    known = keys.machine[placed]
    seen = {
        keys.names[code]: keys.slot[placed[known == code]] for code in np.unique(known[known >= 0])
    }
    names = spec.columns.entities or (sorted(seen) if spec.columns.entity else ("",))
    nothing = np.empty(0, dtype=np.int64)
    return {name: seen.get(name, nothing) for name in names}


def _accepted(numbers: pd.DataFrame, rows: NDArray[np.intp], spec: DetectorSpec) -> pd.DataFrame:
    kept = numbers.iloc[rows].drop(columns=TIME_FAULT, errors="ignore")
    order = [spec.columns.timestamp, *([spec.columns.entity] if spec.columns.entity else [])]
    names = [name for name in declared(spec.columns) if name in kept]
    return kept[names].sort_values([name for name in order if name in kept], ignore_index=True)


def _causes(rows: NDArray[np.intp], keys: Keys, spec: DetectorSpec, faults: Faults) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "entity": _entities(rows, keys, spec),
            "rule": faults.rule[rows],
            "feature": faults.feature[rows],
        }
    )


def _rejected(
    raw: pd.DataFrame,
    rows: NDArray[np.intp],
    keys: Keys,
    spec: DetectorSpec,
    faults: Faults,
    reasons: Sequence[str],
) -> pd.DataFrame:
    """The quarantine's rows; one without a fault of its own shares that of its day."""
    frame = _causes(rows, keys, spec, faults)
    frame["timestamp"] = raw[spec.columns.timestamp].iloc[rows].array
    frame["detail"] = faults.detail[rows]
    frame["row"] = pd.Series(_as_json(raw.iloc[rows], spec.columns), dtype="object")
    shares = frame["rule"].isna()
    frame.loc[shares, "rule"] = BLOCKED
    frame.loc[shares, "detail"] = "; ".join(reasons)
    return frame[list(REJECTED_COLUMNS)]


def _entities(rows: NDArray[np.intp], keys: Keys, spec: DetectorSpec) -> NDArray[np.object_]:
    if spec.columns.entity is None:
        return np.full(len(rows), None, dtype=object)
    names = np.array([*keys.names, None], dtype=object)  # code -1, a missing name, is the last
    entities: NDArray[np.object_] = names[keys.machine[rows]]
    return entities


def _as_json(raw: pd.DataFrame, columns: Columns) -> list[str]:
    """Each row as JSON; numbers as floats, however the reader typed the column of this chunk."""
    if raw.empty:
        return []
    shown = raw.drop(columns=TIME_FAULT, errors="ignore").astype(object)
    for name in shown.columns.difference([columns.timestamp, columns.entity]):
        numbers = pd.to_numeric(raw[name], errors="coerce").astype("float64")
        text = raw[name].where(numbers.isna() & raw[name].notna())
        shown[name] = text.mask(numbers.notna(), numbers).mask(np.isinf(numbers), numbers.map(str))
    lines = shown.to_json(orient="records", lines=True, date_format="iso", double_precision=15)
    return lines.strip("\n").split("\n")


def _absent_columns(absent: Sequence[str], spec: DetectorSpec) -> str:
    return (
        f"column {', '.join(absent)} is missing; limit: all of "
        f"{', '.join(declared(spec.columns))}: deliver it, map its name in source.rename, or take "
        "it out of schema"
    )
