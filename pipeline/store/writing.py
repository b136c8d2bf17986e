"""Write validated days into the tables, also while others write. One part at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from pipeline.config import DetectorSpec
from pipeline.data.fingerprint import Difference, contract_hash, differences
from pipeline.data.meaning import meaning_of
from pipeline.data.verdicts import Report
from pipeline.errors import DamagedFile, TableConflict
from pipeline.retrying import ATTEMPTS, retried
from pipeline.settings import Deployment
from pipeline.store.ingestions import Attempt, last_results, record
from pipeline.store.staged import ValidatedDays
from pipeline.tables import Table, current_version, read, read_newest, replace_days

log = structlog.get_logger()


@dataclass(frozen=True)
class _Move:
    """One table at one version, and the changes to the days in question.

    Attributes:
        table: the table.
        version: the version that was read.
        held: days that had rows.
        changes: for each day with rows before or after, what happens to them.
    """

    table: Table
    version: int
    held: frozenset[date]
    changes: dict[date, Difference]

    def touches(self, day: date) -> bool:
        """Whether the rows of `day` would change."""
        return day in self.changes and self.changes[day].any


def write_part(
    here: Deployment,
    spec: DetectorSpec,
    days: Sequence[date],
    new: ValidatedDays,
    *,
    now: datetime,
    run_id: str,
) -> list[Attempt]:
    """Make the tables hold `new` for `days`, record the attempts, and return them.

    What to write is decided from one version of each table, and refused by the store if another
    writer changed these days since; then it is decided again. So the tables end up as if all
    writers had written one after the other.

    Raises:
        OutageError: the store does not answer, or other writers kept winning.
    """
    lost = (
        f"{spec.name}: other writers changed {days[0]} to {days[-1]} {ATTEMPTS} times in a row; "
        "retry, or let fewer runs write the same days at once."
    )
    write = partial(_write_once, here, spec, days, new, now, run_id)
    attempts = retried(write, on=TableConflict, lost=lost)
    record(here, spec.name, attempts)
    return attempts


def _write_once(
    here: Deployment,
    spec: DetectorSpec,
    days: Sequence[date],
    new: ValidatedDays,
    now: datetime,
    run_id: str,
) -> list[Attempt]:
    root, key = here.storage, spec.columns.row_key
    telemetry = _move(Table(root, spec.name, "telemetry"), days, new.telemetry, key)
    quarantine = _move(Table(root, spec.name, "quarantine"), days, new.quarantine, None)
    last = last_results(here, spec.name, days[0], days[-1])
    valid = {day for day, report in new.reports.items() if report.verdict == "validated"}
    moved = [
        day
        for day in days
        if (day in valid and telemetry.touches(day))
        or (new.reports[day].verdict != "empty" and quarantine.touches(day))
    ]
    metadata = {
        "run_id": run_id,
        "fingerprints": json.dumps({str(day): new.fingerprints[day] for day in moved}),
    }
    # Both tables or neither: otherwise two writers could each win one of them.
    _replace(quarantine, moved, new.quarantine, metadata)
    version = _replace(telemetry, [d for d in moved if d in valid], new.telemetry, metadata)
    contract = contract_hash(spec)
    attempts = []
    for day in days:
        attempt = _attempt(new.reports[day], now, run_id, new.fingerprints[day], contract)
        if day not in moved and last.get(day) == (attempt.fingerprint, contract):
            attempt = replace(attempt, verdict="unchanged")
        if day in valid and day in telemetry.held and telemetry.touches(day):
            attempt = replace(attempt, difference=telemetry.changes[day])
        meaning = meaning_of(spec.columns) if attempt.accepted else None
        attempts.append(replace(attempt, telemetry_version=version, meaning=meaning))
    return attempts


def _move(table: Table, days: Sequence[date], new: pa.Table, key: list[str] | None) -> _Move:
    try:
        version, before = read_newest(table, days[0], days[-1])
    except DamagedFile as error:
        log.warning("damaged_days_are_written_anew", table=table.uri, why=str(error))
        return _over_damage(table, days, new, key)
    if version is None:
        # Whoever creates the table makes version 0, which holds no rows.
        version, before = 0, new.slice(0, 0).to_pandas()
    before = before[before["date"].isin(days)]
    changes = differences(before, new.to_pandas(), key)
    return _Move(table, version, frozenset(before["date"]), changes)


def _over_damage(table: Table, days: Sequence[date], new: pa.Table, key: list[str] | None) -> _Move:
    """As `_move`; the old rows of a damaged day are unknown, and the day is written again."""
    version = current_version(table) or 0
    whole, damaged = [], set()
    for day in days:
        try:
            rows = read(table, first_day=day, last_day=day, version=version, keep_date=True)
        except DamagedFile:
            damaged.add(day)
        else:
            whole.append(rows)
    after = new.to_pandas()
    before = pd.concat([*whole, after.iloc[:0]])
    changes = differences(before, after[~after["date"].isin(damaged)], key)
    changes |= dict.fromkeys(damaged, Difference(0, 0, 0, unknown=True))
    return _Move(table, version, frozenset(before["date"]) | damaged, changes)


def _replace(
    move: _Move, days: Sequence[date], rows: pa.Table, metadata: dict[str, str]
) -> int | None:
    """Commit the rows of `days`; returns the table's version, None if there is still no table."""
    if not any(day in move.changes for day in days):
        return current_version(move.table)
    kept = rows.filter(pc.field("date").isin(pa.array(days, pa.date32())))
    return replace_days(move.table, days, kept, metadata=metadata, based_on=move.version)


def _attempt(
    report: Report, now: datetime, run_id: str, fingerprint: str, contract: str
) -> Attempt:
    return Attempt(
        day=report.day,
        attempted_at=now,
        run_id=run_id,
        verdict=report.verdict,
        standing=report.verdict,
        reasons="; ".join(report.reasons),
        expected=report.expected,
        delivered=report.delivered,
        accepted=report.accepted,
        rejected=sum(report.rejected.values()),
        completeness=report.completeness,
        rules=report.rejected,
        fingerprint=fingerprint,
        contract=contract,
        partial=report.partial,
        missing=report.missing,
        resting=report.resting,
    )
