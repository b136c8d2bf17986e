"""One version of every Delta table, chosen while writers go on.

A Delta table at version v is its commits 0 to v and the data files that they name. Both are never
changed once they are there, and a writer puts the data files before the commit that names them. So
a backup that lists the commits first and the data files afterwards holds every file that its
commits name, whatever is written in between: later commits are left out, and later data files are
named by nothing. Only the vacuum of `<detector>__housekeeping` deletes files; it spares the
newest version, and files that were given up in the last `history_days` days, so also those that
were given up after the listing. `missing_files` checks that in the finished copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from deltalake import DeltaTable

from deploy.backup.places import Place, in_parallel

LOG = "_delta_log"
POINTER = "_last_checkpoint"
_NUMBERED = re.compile(r"(\d{20})\.(json|checkpoint.*\.parquet|crc)")


@dataclass(frozen=True)
class TableCut:
    """A table at one version.

    Attributes:
        table: its path in the lake, `detector/table`.
        version: the version.
        log: paths in the lake of the commits and checkpoints up to it.
        pointer: content of the file that names the newest checkpoint, which writers replace.
    """

    table: str
    version: int
    log: tuple[str, ...]
    pointer: bytes | None


def cut_tables(lake: Place) -> list[TableCut]:
    """Every table of `lake` at its newest version now; lists the logs, reads no data."""
    detectors = lake.folders()
    tables = [table for found in in_parallel(lake.folders, detectors) for table in found]
    cuts = in_parallel(lambda table: _cut(lake, table), tables)
    return [found for found in cuts if found is not None]


def versions_of(cuts: Iterable[TableCut], name: str) -> dict[str, int]:
    """Version of each detector's table `name`."""
    return {cut.table: cut.version for cut in cuts if cut.table.endswith(f"/{name}")}


def newest_whole_version(names: Iterable[str]) -> int | None:
    """The newest version of which `names`, files of a log, hold every commit; None: no commit.

    A listing is not one moment: it can show commit 8 and not 7, when both came while it was made.
    """
    commits = sorted({int(m[1]) for n in names if (m := _NUMBERED.fullmatch(n)) and m[2] == "json"})
    if not commits:
        return None
    newest = commits[0]
    for number in commits[1:]:
        if number != newest + 1:
            break
        newest = number
    return newest


def is_log(path: str) -> bool:
    """Whether the file at `path` in the lake belongs to a log."""
    return f"/{LOG}/" in path


def table_of(path: str) -> str | None:
    """The table that the data file at `path` in the lake belongs to; None: it is no data file."""
    table, found, _ = path.partition("/date=")
    return table if found else None


def missing_files(copied: Place, cut: TableCut) -> list[str]:
    """Names of data files that the copied table needs and does not have."""
    opened = DeltaTable(
        copied.path(cut.table) if copied.is_local else f"s3://{copied.path(cut.table)}",
        version=cut.version,
        storage_options=dict(copied.options) or None,
    )
    needed = {_name(uri) for uri in opened.file_uris()}
    return sorted(needed - {_name(path) for path in copied.files(cut.table)})


def _cut(lake: Place, table: str) -> TableCut | None:
    folder = f"{table}/{LOG}"
    # The pointer before the listing: then the checkpoint that it names is in the listing.
    pointer = lake.read(f"{folder}/{POINTER}") if lake.exists(f"{folder}/{POINTER}") else None
    names = [path.rpartition("/")[2] for path in lake.files(folder, recursive=False)]
    version = newest_whole_version(names)
    if version is None:
        return None
    kept = [n for n in names if (m := _NUMBERED.fullmatch(n)) and int(m[1]) <= version]
    return TableCut(table, version, tuple(f"{folder}/{name}" for name in kept), pointer)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
