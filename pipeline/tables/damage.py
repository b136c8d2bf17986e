"""The damage of a Delta table that cannot be read, found by looking at its files.

Called after a read has failed, never before one: it opens every commit, and every data file. The
library's own messages are the same for a damaged commit and a store that does not answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from pipeline.staging import filesystem_at

_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint\..*parquet$")
_LOG, _HINT = "_delta_log", "_last_checkpoint"
_NEEDED_AT_FIRST = ("metaData", "protocol")


@dataclass(frozen=True)
class Damage:
    """A broken part of a table.

    Attributes:
        where: the log, or a data file.
        what: the file and its fault, a clause.
    """

    where: Literal["log", "data"]
    what: str


def log_is_gone(uri: str) -> bool:
    """Whether days of data lie at `uri` without a log; called when the library finds no table."""
    source, path = filesystem_at(uri)
    if not _holds_days(source, path):
        return False
    # The log is written first when a table is created, so it is there by now, if it ever was.
    return not _listed(source, f"{path}/{_LOG}")


def _holds_days(source: fs.FileSystem, path: str) -> bool:
    held = source.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return any(entry.base_name.startswith("date=") for entry in held)


def find_damage(uri: str, files: Mapping[str, int] | None = None) -> Damage | None:
    """The damage of the table at `uri`; None where there is none, or the store does not answer.

    `files` are the data files of the version that was read, below `uri`, and their sizes in bytes;
    None: unknown, as the log cannot be read.
    """
    try:
        source, path = filesystem_at(uri)
        if not _listed(source, f"{path}/{_LOG}") and not _holds_days(source, path):
            return None  # there is no table: a bucket of another name, for one
        of_log = _of_log(source, f"{path}/{_LOG}")
        if of_log:
            return Damage("log", of_log)
        found = (_of_data(source, path, name, size) for name, size in (files or {}).items())
        of_data = next(filter(None, found), None)
    except OSError:  # the store itself does not answer
        return None
    return Damage("data", of_data) if of_data else None


def _of_log(source: fs.FileSystem, path: str) -> str | None:
    names = _listed(source, path)
    commits = {int(found[1]): name for name in names if (found := _COMMIT.match(name))}
    checkpoints = {int(found[1]): name for name in names if (found := _CHECKPOINT.match(name))}
    if not commits and not checkpoints:
        return f"{_LOG} holds no commit" if names else f"{_LOG} is gone"
    first = max(checkpoints, default=0)
    newest = max(*commits, first)
    behind = range(first + bool(checkpoints), newest + 1)
    if gap := next((number for number in behind if number not in commits), None):
        return f"{_LOG}/{gap:020d}.json is gone, and {newest:020d}.json is there"
    if not checkpoints and 0 not in commits:
        return f"{_LOG}/{0:020d}.json is gone, which says what the table is"
    for number in sorted(commits):
        if fault := _of_commit(_content(source, f"{path}/{commits[number]}"), first=number == 0):
            return f"{_LOG}/{commits[number]} {fault}"
    for name in checkpoints.values():
        if fault := _of_parquet(source, f"{path}/{name}"):
            return f"{_LOG}/{name} {fault}"
    return _of_hint(source, path, names, checkpoints)


def _of_commit(content: bytes, *, first: bool) -> str | None:
    if not content.strip():
        return "is empty"
    actions: set[str] = set()
    for line in content.splitlines():
        try:
            actions |= set(json.loads(line)) if line.strip() else set()
        except (ValueError, TypeError):
            return "is no JSON: it was cut off or overwritten"
    absent = [name for name in _NEEDED_AT_FIRST if name not in actions]
    return f"has no {absent[0]}" if first and absent else None


def _of_hint(
    source: fs.FileSystem, path: str, names: list[str], checkpoints: dict[int, str]
) -> str | None:
    """The fault of the file that names the newest checkpoint; it may be deleted."""
    if _HINT not in names:
        return None
    fix = "delete this one file, it is made again"
    try:
        version = int(json.loads(_content(source, f"{path}/{_HINT}"))["version"])
    except (ValueError, TypeError, KeyError):
        return f"{_LOG}/{_HINT} is no JSON ({fix})"
    if version not in checkpoints:
        return f"{_LOG}/{_HINT} names checkpoint {version}, which is not there ({fix})"
    return None


def _of_data(source: fs.FileSystem, path: str, name: str, size: int) -> str | None:
    held = source.get_file_info(f"{path}/{name}")
    if held.type != fs.FileType.File:
        return f"{name} is gone"
    if held.size != size:
        return f"{name} has {held.size:,} bytes, and the log says {size:,}: it was overwritten"
    fault = _of_parquet(source, f"{path}/{name}")
    return f"{name} {fault}" if fault else None


def _of_parquet(source: fs.FileSystem, path: str) -> str | None:
    content = _content(source, path)  # what fails from here on is not the store's fault
    try:
        pq.read_table(pa.BufferReader(content), use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        return "is no whole Parquet file: it was cut off or overwritten"
    return None


def _content(source: fs.FileSystem, path: str) -> bytes:
    with source.open_input_stream(path, compression=None) as stream:
        content: bytes = stream.read()
        return content


def _listed(source: fs.FileSystem, path: str) -> list[str]:
    found = source.get_file_info(path)
    if found.type == fs.FileType.File:
        return []
    selector = fs.FileSelector(path, allow_not_found=True)
    return [entry.base_name for entry in source.get_file_info(selector)]
