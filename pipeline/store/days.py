"""The table `days`: the record of each day, so that `status` need not read all tables to prove it.

A row is valid as long as the day's files in the tables that it was made from are the same by the
logs of these tables: of a day that changed since, by whoever and however, the record is read from
the tables again. So a row that is absent, that a writer has not made yet or made too early costs
time and is never wrong. Rows are kept by quarter: files of many days are few.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import structlog
from pydantic import TypeAdapter

from pipeline import tables
from pipeline.data.grid import stretches
from pipeline.errors import DamagedFile, TableConflict, UnprovenAnswer
from pipeline.ledger import keyring
from pipeline.settings import Deployment
from pipeline.store.day_records import SOURCES, DayRecord, read_day_records
from pipeline.tables import Table
from pipeline.tables.layout import laid_out
from pipeline.tables.scan import files_by_day

_FORM = "2"  # of a record; another one makes all rows of earlier releases invalid
_MOST_DAYS = 366  # that are read at once
_TRIES = 3

_RECORD = TypeAdapter(DayRecord)

log = structlog.get_logger()


@dataclass(frozen=True)
class _Row:
    """A row of the table: the hash of the files that the record was made from, and the record."""

    basis: str
    content: str

    @property
    def record(self) -> DayRecord:
        return _RECORD.validate_json(self.content)


def day_records(here: Deployment, detector: str) -> dict[date, DayRecord]:
    """The record of each day on record, as the tables are now, in no order.

    Raises:
        UnprovenAnswer: a label that the newest key of answers has not signed.
        OutageError: the store does not answer.
    """
    hashes = _hashes(here, detector)
    rows = _rows(here, detector)
    valid = {day for day in hashes if day in rows and rows[day].basis == hashes[day]}
    fresh = _read(here, detector, hashes.keys() - valid)
    return {day: rows[day].record for day in valid} | fresh


def records_from_tables(here: Deployment, detector: str) -> dict[date, DayRecord]:
    """As `day_records`, without believing a row of the table: every file of every day is read.

    Raises:
        UnprovenAnswer: a label that the newest key of answers has not signed.
        DamagedFile: a file of a day cannot be read.
        OutageError: the store does not answer.
    """
    return _read(here, detector, set(_hashes(here, detector)))


def settle_days(here: Deployment, detector: str) -> int:
    """Write the records of all days that changed since; returns how many.

    A step calls it after its own commits. Where another one comes first, or a label is not proven,
    the days are left to the next step.

    Raises:
        OutageError: the store does not answer.
    """
    for _ in range(_TRIES):
        try:
            return _settle_once(here, detector)
        except TableConflict:
            log.info("another_writer_came_first", detector=detector)
        except UnprovenAnswer as error:
            log.warning("days_not_settled", detector=detector, why=str(error))
            break
    return 0


def _settle_once(here: Deployment, detector: str) -> int:
    table = _table(here, detector)
    version = tables.current_version(table)
    # The files first: rows that come while they are read make the record invalid, not wrong.
    hashes, rows = _hashes(here, detector), _rows(here, detector, version)
    changed = {day for day in hashes if day not in rows or rows[day].basis != hashes[day]}
    gone = rows.keys() - hashes.keys()
    if not changed and not gone:
        return 0
    for day, record in _read(here, detector, changed).items():
        rows[day] = _Row(hashes[day], _RECORD.dump_json(record).decode())
    parts = sorted({_quarter(day) for day in changed | gone})
    kept = [day for day in rows if day in hashes and _quarter(day) in parts]
    content = _laid_out({day: rows[day] for day in kept})
    # Whoever creates the table makes version 0, which holds no rows.
    tables.replace_days(table, parts, content, metadata={}, based_on=version or 0)
    return len(changed)


def _read(here: Deployment, detector: str, days: set[date]) -> dict[date, DayRecord]:
    found: dict[date, DayRecord] = {}
    for part in stretches(sorted(days), most=_MOST_DAYS):
        read = read_day_records(here, detector, part[0], part[-1])
        found |= {day: read.get(day, DayRecord()) for day in part}
    return found


def _hashes(here: Deployment, detector: str) -> dict[date, str]:
    """For each day with files in SOURCES a hash of their names, from the logs alone.

    The newest key of answers belongs to a label: once it is replaced, each must be proven again.
    """
    newest_key = [key.id for key in keyring.trusted(here, "answers")[-1:]]
    parts: dict[date, list[str]] = {}
    for name in SOURCES:
        for day, files in files_by_day(Table(here.storage, detector, name)).items():
            parts.setdefault(day, []).extend([name, *files])
            if name == "labels":
                parts[day] += newest_key
    return {
        day: hashlib.sha256("\n".join([_FORM, *named]).encode()).hexdigest()[:32]
        for day, named in parts.items()
    }


def _rows(here: Deployment, detector: str, version: int | None = None) -> dict[date, _Row]:
    table, names = _table(here, detector), ["day", "basis", "content"]
    try:
        frame = tables.read(table, columns=names, version=version)
    except DamagedFile as error:
        log.warning("damaged_days_are_written_anew", table=table.uri, why=str(error))
        return {}
    return {
        day: _Row(basis, content)
        for day, basis, content in zip(frame["day"], frame["basis"], frame["content"], strict=True)
    }


def _laid_out(rows: Mapping[date, _Row]) -> pa.Table:
    return laid_out(
        "days",
        [
            {"date": _quarter(day), "day": day, "basis": row.basis, "content": row.content}
            for day, row in sorted(rows.items())
        ],
    )


def _quarter(day: date) -> date:
    """The partition of a day: the first day of its quarter."""
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "days")
