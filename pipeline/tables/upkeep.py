"""Compact small files of a table, delete files that no version needs, remove days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from pyarrow import fs

from pipeline.errors import DataError
from pipeline.staging import filesystem_at
from pipeline.tables.engine import Table, days_in, open_table
from pipeline.tables.faults import explained


def compact(table: Table, *, dry_run: bool = False) -> int:
    """Compact the small files of each day into one; returns how many files that replaces.

    The rows stay what they are, and so does every older version. If another writer comes first,
    nothing happens: there is a next time.

    Raises:
        OutageError: the store does not answer.
    """
    with explained(table.uri):
        opened = open_table(table)
        if opened is None:
            return 0
        small = _surplus(opened)
        if not small or dry_run:
            return small
        try:
            return int(opened.optimize.compact()["numFilesRemoved"])
        except CommitFailedError:
            return 0


def vacuum(
    table: Table, *, before: datetime, needed: Collection[int], dry_run: bool = False
) -> int:
    """Delete the files that the table gave up before the moment `before`; returns their number.

    All files of the newest version and of the versions `needed` stay, however old. Other versions
    that lose a file can no longer be read.

    Raises:
        DataError: a version of `needed` does not exist, or would lose a file; nothing is deleted.
        OutageError: the store does not answer.
    """
    with explained(table.uri):
        opened = open_table(table)
        if opened is None:
            return 0
        kept = sorted({*needed, int(opened.version())})
        held = {version: _files(table, version) for version in kept}
        age = max(datetime.now(UTC) - before, timedelta(0))

        def give_up(*, dry_run: bool) -> list[str]:
            return opened.vacuum(
                retention_hours=int(age / timedelta(hours=1)),
                dry_run=dry_run,
                enforce_retention_duration=False,  # the table keeps all until this says otherwise
                keep_versions=kept,
                full=True,  # also what a writer left that died before its commit
            )

        # The library also names files that it deleted long ago: only files that are there count.
        doomed = _names(give_up(dry_run=True)) & _stored(table)
        _refuse_needed(table, doomed, held)
        if doomed and not dry_run:
            give_up(dry_run=False)
        return len(doomed)


def _surplus(opened: DeltaTable) -> int:
    """Files of days that have more than one."""
    days = Counter(path.rpartition("/")[0] for path in opened.file_uris())
    return sum(files for files in days.values() if files > 1)


def _files(table: Table, version: int) -> set[str]:
    """Names of the files of a version."""
    with explained(table.uri, version):
        return _names(DeltaTable(table.uri, version=version).file_uris())


def _stored(table: Table) -> set[str]:
    """Names of the files that lie in the folders of days."""
    source, path = filesystem_at(table.uri)
    found = source.get_file_info(fs.FileSelector(path, recursive=True))
    return _names(entry.path for entry in found if entry.path.endswith(".parquet"))


def _names(paths: Iterable[str]) -> set[str]:
    return {path.rpartition("/")[2] for path in paths}


def _refuse_needed(table: Table, doomed: set[str], held: Mapping[int, set[str]]) -> None:
    """Refuse to delete a needed file; the library checks that too, but champions depend on it."""
    for version, files in held.items():
        if lost := doomed & files:
            msg = (
                f"{table.uri}: version {version} is needed and would lose {len(lost)} of "
                f"{len(files)} files; nothing was deleted. Report this: it must never happen."
            )
            raise DataError(msg)


def remove_days(table: Table, days: Sequence[date], *, metadata: Mapping[str, str]) -> bool:
    """Remove all rows of `days`, in one commit; returns whether there were any.

    Earlier versions still hold them.

    Raises:
        TableConflict: another writer changed one of them meanwhile.
        OutageError: the store does not answer.
    """
    doomed = sorted(set(days) & set(days_in(table)))
    if doomed:
        named = ", ".join(repr(day.isoformat()) for day in doomed)
        with explained(table.uri):
            DeltaTable(table.uri).delete(
                f"date in ({named})",
                commit_properties=CommitProperties(custom_metadata=dict(metadata)),
            )
    return bool(doomed)
