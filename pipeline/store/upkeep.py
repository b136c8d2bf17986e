"""What is done to tables as such, whatever their rows mean: found, compacted, emptied of a day."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from pipeline import staging, tables
from pipeline.settings import Deployment
from pipeline.tables import Table, upkeep
from pipeline.tables.schemas import TABLES, TableName

OUTLIVING: TableName = "ledger"
"""The table that outlives its detector."""

EMPTIED: tuple[TableName, ...] = ("cases", "incidents", "scores", "telemetry", "quarantine")
"""Tables that lose a forgotten day's rows: derived tables first, their sources last."""


@dataclass(frozen=True)
class Tidied:
    """What became of the files of a table.

    Attributes:
        compacted: files that were replaced by fewer.
        deleted: files that no needed version refers to.
    """

    compacted: int
    deleted: int


def table_uri(here: Deployment, detector: str, name: TableName) -> str:
    """Where a table lies, or would lie."""
    return Table(here.storage, detector, name).uri


def tables_of(here: Deployment, detector: str) -> tuple[TableName, ...]:
    """The tables that `detector` has, the one that outlives it left out."""
    there = set(staging.names_at(f"{here.storage.rstrip('/')}/{detector}"))
    return tuple(
        name
        for name in TABLES
        if name in there
        and name != OUTLIVING
        and tables.current_version(Table(here.storage, detector, name)) is not None
    )


def tidy_tables(
    here: Deployment,
    detector: str,
    *,
    before: datetime,
    needed_telemetry: Collection[int],
    dry_run: bool,
) -> dict[TableName, Tidied]:
    """Compact small files, and delete those given up before `before`; the tables that changed.

    The versions `needed_telemetry` of `telemetry` stay readable. With `dry_run` nothing changes.

    Raises:
        DataError: one of these versions does not exist, or would lose a file.
        OutageError: the store does not answer.
    """
    found = {}
    for name in TABLES:
        table = Table(here.storage, detector, name)
        needed = needed_telemetry if name == "telemetry" else ()
        compacted = upkeep.compact(table, dry_run=dry_run)
        deleted = upkeep.vacuum(table, before=before, needed=needed, dry_run=dry_run)
        if compacted or deleted:
            found[name] = Tidied(compacted, deleted)
    return found


def rows_on(here: Deployment, detector: str, day: date) -> dict[TableName, int]:
    """The number of rows of `day` in each of the tables EMPTIED."""
    return {
        name: len(
            tables.read(
                Table(here.storage, detector, name),
                columns=[],
                first_day=day,
                last_day=day,
                keep_date=True,
            )
        )
        for name in EMPTIED
    }


def remove_day(here: Deployment, detector: str, day: date, why: str) -> None:
    """Remove the rows of `day` from the tables EMPTIED; earlier versions still hold them.

    Raises:
        TableConflict: another writer changed the day meanwhile.
        OutageError: the store does not answer; a repetition completes it.
    """
    for name in EMPTIED:
        upkeep.remove_days(Table(here.storage, detector, name), [day], metadata={"why": why})
