"""Tables read in bulk: as Arrow, the columns and days in question only, on one thread.

Work on many days is spread by processes, a worker a core; threads of one would slow
the others down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date

import pyarrow as pa
import pyarrow.dataset as ds

from pipeline.lineage import note_read
from pipeline.tables.engine import Table, only_days, open_table
from pipeline.tables.faults import explained


def scan(
    table: Table,
    first_day: date,
    last_day: date,
    *,
    columns: Collection[str] | None = None,
    version: int | None = None,
) -> tuple[int | None, pa.Table]:
    """The version that was read and its rows of `first_day` to `last_day`, both included.

    Of `columns` (None: all) those that the table has, in the table's own order. Text comes as a
    dictionary: each word once. The order of rows is not defined. A table that nobody has written
    yet is empty, without columns and without a version.

    Raises:
        DataError: there is no such `version`.
        OutageError: the store does not answer.
    """
    with explained(table.uri, version):
        opened = open_table(table, version)
        if opened is None:
            return None, pa.table({})
        note_read(table.uri, version=int(opened.version()))
        fields = [field.name for field in opened.schema().fields]
        text = [field.name for field in opened.schema().fields if _is_text(field.type)]
        files: ds.FileSystemDataset = opened.to_pyarrow_dataset(
            file_pruning_predicate=only_days(first_day, last_day),
            parquet_read_options=ds.ParquetReadOptions(dictionary_columns=set(text)),
        )
        wanted = [name for name in fields if columns is None or name in columns]
        # By day, the order that most readers need.
        parts = sorted(files.get_fragments(), key=lambda part: str(part.path))
        ordered = ds.FileSystemDataset(parts, files.schema, files.format, files.filesystem)
        return int(opened.version()), ordered.to_table(columns=wanted, use_threads=False)


def rows_by_day(table: Table) -> dict[date, int]:
    """The number of rows of each day, from the log; no file is opened.

    Raises:
        OutageError: the store does not answer.
    """
    with explained(table.uri):
        opened = open_table(table)
        if opened is None:
            return {}
        files = pa.table(opened.get_add_actions(flatten=True))
    found = Counter[date]()
    for day, rows in _pairs(files):
        found[day] += rows or 0
    return dict(found)


def files_by_day(table: Table) -> dict[date, list[str]]:
    """The names of the files of each day, sorted, from the log; no file is opened.

    A file is never changed: another name means other files.

    Raises:
        OutageError: the store does not answer.
    """
    with explained(table.uri):
        opened = open_table(table)
        if opened is None:
            return {}
        files = pa.table(opened.get_add_actions(flatten=True))
    found = dict[date, list[str]]()
    named = zip(files["partition.date"].to_pylist(), files["path"].to_pylist(), strict=True)
    for day, path in sorted(named):
        found.setdefault(day, []).append(path)
    return found


def _pairs(files: pa.Table) -> Iterable[tuple[date, int | None]]:
    days = files["partition.date"].to_pylist()
    return zip(days, files["num_records"].to_pylist(), strict=True)


def _is_text(kind: object) -> bool:
    return getattr(kind, "type", None) == "string"
