"""The newest snapshot of each table, kept by this thread and brought up to date when it is opened.

A table is opened by reading the list of all its files, which grows with every day of history, and a
task opens the same tables a dozen times. What was committed since the last look is little.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from deltalake import DeltaTable
from pyarrow import fs

from pipeline.staging import filesystem_at


@dataclass(frozen=True)
class _Kept:
    """A snapshot, and the file of a commit that it has: another table has another one."""

    table: DeltaTable
    version: int
    commit: tuple[object, ...]


class _Snapshots(threading.local):
    """A thread's own: a writer must not see its table move while it writes."""

    def __init__(self) -> None:
        self.kept: dict[str, _Kept] = {}


_OWN = _Snapshots()


def newest(uri: str) -> DeltaTable:
    """The table as it is now. Every caller gets the same object: use it, and do not keep it.

    Raises:
        TableNotFoundError: there is no log.
    """
    kept = _OWN.kept.pop(uri, None)
    if kept is not None and _is_of(uri, kept):
        table = kept.table
        table.update_incremental()
    else:
        # Never seen, or removed, or restored, or it has lost commits: nothing known of it counts.
        table = DeltaTable(uri)
    _OWN.kept[uri] = _Kept(table, table.version(), _commit(uri, table.version()))
    return table


def at(uri: str, version: int) -> DeltaTable:
    """The table at `version`; the kept snapshot where it is of that version. Use it, likewise.

    Raises:
        TableNotFoundError: there is no log.
        DeltaError: there is no such version.
    """
    kept = _OWN.kept.get(uri)
    if kept is not None and kept.table.version() == version and _is_of(uri, kept):
        return kept.table
    return DeltaTable(uri, version=version)


def forget(uri: str) -> None:
    """Read the table anew the next time, after something went wrong with it."""
    _OWN.kept.pop(uri, None)


def _is_of(uri: str, kept: _Kept) -> bool:
    """Whether the table at `uri` is the one that was kept, with all commits that it had."""
    if kept.commit[0] != fs.FileType.File or kept.commit != _commit(uri, kept.version):
        return False
    now = kept.table.version()  # later than what was kept, if this thread has written since
    if now == kept.version:
        return True
    kind, size, _ = _commit(uri, now)
    return kind == fs.FileType.File and bool(size)


def _commit(uri: str, version: int) -> tuple[object, ...]:
    """What tells the file of a commit from the same commit of another table."""
    source, path = filesystem_at(uri)
    found = source.get_file_info(f"{path.rstrip('/')}/_delta_log/{version:020}.json")
    return found.type, found.size, found.mtime_ns
