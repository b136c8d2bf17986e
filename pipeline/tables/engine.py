"""Delta tables at a local path or `s3://`: the only file that knows how rows are stored.

Every table is partitioned by UTC day in the column `date`. A replacement of days is one atomic
commit; a reader sees all of it or nothing. Old versions stay readable (`_CONFIGURATION`), because
a registered bundle names the table version that it was trained on. Credentials and endpoint of an
S3 store come from the usual `AWS_*` variables, which deltalake reads itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from pipeline.errors import DataError
from pipeline.lineage import note_read, note_written
from pipeline.retrying import ATTEMPTS, Result, retried
from pipeline.tables.faults import explained, opened_at, refuse_other_kinds
from pipeline.tables.frames import as_frame
from pipeline.tables.layout import laid_out, with_commit
from pipeline.tables.schemas import COMMIT, SCHEMAS, TableName

_CONFIGURATION = {
    # Delta's defaults (30 days of log, 7 days of files) would delete the versions that
    # registered bundles were trained on; housekeeping vacuums what no bundle refers to.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    # A reader opens every commit since the last checkpoint: with the library's 100, a table on S3
    # takes up to 0.12 s to open instead of 0.04 s, and scoring a day opens a dozen.
    "delta.checkpointInterval": "20",
}
_CHECKPOINT_DAYS = 20  # in one commit: it is as long as that many commits of a day
_LIBRARY_TRIES = 8
_EXACT_TRIES = 4


@dataclass(frozen=True)
class Table:
    """One table of one detector, under a storage root."""

    root: str
    detector: str
    name: TableName

    @property
    def uri(self) -> str:
        """The URI of the table."""
        return f"{self.root.rstrip('/')}/{self.detector}/{self.name}"


def replace_days(
    table: Table,
    days: Sequence[date],
    rows: pa.Table,
    *,
    metadata: Mapping[str, str],
    based_on: int | None = None,
) -> int:
    """Make `rows` the only rows of `days`, in one commit; returns the table's new version.

    `rows` has the partition column `date`; a day without rows ends up empty. With `based_on`, the
    commit is refused if another writer changed one of `days` after that version; without it, the
    last writer wins.

    Raises:
        TableConflict: another writer changed one of these days after `based_on`; nothing was
            written.
        DataError: a row lies outside `days`, or a column changed its type.
        OutageError: the store does not answer, or other writers kept winning.
    """
    _refuse_rows_outside(rows, days, table)

    def write() -> int:
        target = open_or_create(table, rows.schema, based_on)
        refuse_other_kinds(rows.schema, pa.schema(target.schema().to_arrow()), table.uri)
        write_deltalake(
            target,
            rows,
            mode="overwrite",
            predicate=f"date in ({', '.join(repr(day.isoformat()) for day in sorted(days))})",
            schema_mode="merge",
            commit_properties=CommitProperties(
                custom_metadata=dict(metadata), max_commit_retries=_LIBRARY_TRIES
            ),
        )
        return _version_of(target, len(days))

    with explained(table.uri):
        version = write() if based_on is not None else _in_turn(table, write)
    note_written(table.uri, version=version, rows=rows.num_rows)
    return version


def append(table: Table, rows: Sequence[Mapping[str, Any]] | pa.Table) -> int:
    """Append `rows`; returns the table's new version.

    Plain mappings are laid out by the table's entry in SCHEMAS. Where that has the column COMMIT,
    it is filled with the version that the rows make, so that their order is the table's. (Of rows
    that many writers add in the same moment some share a number: none came before the other.)

    Raises:
        OutageError: the store does not answer, or other writers kept winning.
    """
    content = rows if isinstance(rows, pa.Table) else laid_out(table.name, rows)

    numbered, tries = COMMIT in content.schema.names, count()

    def write() -> int:
        target = open_or_create(table, content.schema, None)
        # The library's own retries would make another version than the rows say.
        exact = numbered and next(tries) < _EXACT_TRIES
        write_deltalake(
            target,
            with_commit(content, int(target.version()) + 1) if numbered else content,
            mode="append",
            schema_mode="merge",
            commit_properties=CommitProperties(
                max_commit_retries=0 if exact else 2 * _LIBRARY_TRIES
            ),
        )
        return _version_of(target, len(content["date"].unique()))

    with explained(table.uri):
        version = _in_turn(table, write)
    note_written(table.uri, version=version, rows=content.num_rows)
    return version


def read(
    table: Table,
    *,
    columns: Sequence[str] | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    version: int | None = None,
    keep_date: bool = False,
) -> pd.DataFrame:
    """Rows of `first_day` to `last_day` (both included), without the column `date` unless asked.

    The order of rows is not defined. A table that nobody has written yet is empty. A column of
    SCHEMAS that an earlier release did not write is null.

    Raises:
        DataError: there is no such `version`.
        OutageError: the store does not answer.
    """
    with explained(table.uri, version):
        opened = open_table(table, version)
        names = list(columns or (_columns_of(opened) if opened else ()))
        names = [name for name in names if name != "date"] + (["date"] if keep_date else [])
        if opened is None:
            return pd.DataFrame(columns=names)
        note_read(table.uri, version=int(opened.version()))
        held, later = set(_columns_of(opened)), SCHEMAS.get(table.name)
        written = [name for name in names if name in held or not later or name not in later.names]
        return _rows(opened, written, first_day, last_day).reindex(columns=names)


def read_where(
    table: Table,
    column: str,
    value: str,
    *,
    columns: Sequence[str],
    first_day: date | None = None,
    last_day: date | None = None,
) -> pd.DataFrame:
    """As `read`: `columns` of the rows that have `value` in another `column`.

    With the column `date` if it is among `columns`.
    """
    rows = read(
        table,
        columns=[*columns, column],
        first_day=first_day,
        last_day=last_day,
        keep_date="date" in columns,
    )
    return rows.loc[rows[column].eq(value), list(columns)]


def in_order(rows: pd.DataFrame, clock: str) -> pd.DataFrame:
    """Rows of a table with the column COMMIT, in the order in which they were written.

    Rows of earlier releases, which have no number, come first, by the time in column `clock`.
    """
    known = rows if COMMIT in rows else rows.assign(**{COMMIT: None})
    return known.sort_values([COMMIT, clock], kind="stable", na_position="first")


def read_newest(table: Table, first_day: date, last_day: date) -> tuple[int | None, pd.DataFrame]:
    """The newest version, None if nobody has written the table yet, and its rows of some days.

    The rows have the column `date`; both days are included.

    Raises:
        OutageError: the store does not answer.
    """
    with explained(table.uri):
        opened = open_table(table)
        if opened is None:
            return None, pd.DataFrame(columns=["date"])
        note_read(table.uri, version=int(opened.version()))
        return int(opened.version()), _rows(opened, _columns_of(opened), first_day, last_day)


def days_in(table: Table, *, version: int | None = None) -> list[date]:
    """The days that hold rows, oldest first; none if nobody has written the table yet."""
    with explained(table.uri, version):
        opened = open_table(table, version)
        partitions = opened.partitions() if opened else []
    return sorted(date.fromisoformat(partition["date"]) for partition in partitions)


def schema_of(table: Table) -> dict[str, str]:
    """The type of each column, by its name; empty if nobody has written the table yet."""
    with explained(table.uri):
        opened = open_table(table)
        if opened is None:
            return {}
        schema = pa.schema(opened.schema().to_arrow())
    return {field.name: str(field.type) for field in schema}


def current_version(table: Table) -> int | None:
    """The newest version; None if nobody has written the table yet."""
    with explained(table.uri):
        opened = open_table(table)
        return None if opened is None else int(opened.version())


def open_table(table: Table, version: int | None = None) -> DeltaTable | None:
    """The table itself; None if nobody has written it yet. Call it inside `explained`."""
    return opened_at(table.uri, version)


def only_days(first: date | None, last: date | None) -> list[tuple[str, str, str]] | None:
    """Filters that skip files of other days before they are opened."""
    days = [("date", ">=", first.isoformat())] if first else []
    days += [("date", "<=", last.isoformat())] if last else []
    return days or None


def _columns_of(opened: DeltaTable) -> list[str]:
    return [field.name for field in opened.schema().fields]


def _rows(
    opened: DeltaTable, names: Sequence[str], first_day: date | None, last_day: date | None
) -> pd.DataFrame:
    files = opened.to_pyarrow_dataset(file_pruning_predicate=only_days(first_day, last_day))
    return as_frame(files.to_table(columns=list(names)))


def open_or_create(table: Table, schema: pa.Schema, version: int | None) -> DeltaTable:
    """The table, created if it is not there; of two writers that both try, one creates it."""
    opened = open_table(table, version)
    if opened is not None:
        return opened

    def create() -> None:
        DeltaTable.create(
            table.uri, schema, mode="ignore", partition_by=["date"], configuration=_CONFIGURATION
        )

    _in_turn(table, create)
    return DeltaTable(table.uri, version=version)


def _version_of(written: DeltaTable, days: int) -> int:
    """The version of a table after a commit of so many days, with a checkpoint if they are many."""
    if days >= _CHECKPOINT_DAYS:
        written.create_checkpoint()
    return int(written.version())


def _in_turn(table: Table, write: Callable[[], Result]) -> Result:
    """`write()`, again as long as another writer came first."""
    lost = (
        f"{table.uri}: other writers came first {ATTEMPTS} times in a row; nothing was written. "
        "Retry, or let fewer runs write this table at once."
    )
    return retried(write, on=CommitFailedError, lost=lost)


def _refuse_rows_outside(rows: pa.Table, days: Sequence[date], table: Table) -> None:
    strangers = set(rows["date"].unique().to_pylist()) - set(days)
    if strangers:
        msg = (
            f"{table.uri}: rows of {min(strangers)} came with a replacement of {min(days)} to "
            f"{max(days)}; name every day that the rows belong to."
        )
        raise DataError(msg)
