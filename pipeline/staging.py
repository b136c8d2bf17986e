"""Folders, tables and JSON at a URI: how tasks on different machines hand each other files.

Local paths and `s3://` work alike. A push replaces what is there, so a rerun leaves no trace of
the attempt before it. Writers return SHA-256 sums, in hexadecimal digits; a reader that is given
one refuses any other file.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from pipeline.errors import DataError


def push(folder: Path, uri: str) -> dict[str, str]:
    """Write every file of `folder` to `uri`, replacing what an earlier attempt left there.

    Returns:
        the sum of each file, by its path in the folder.
    """
    target, path = filesystem_at(uri)
    if target.get_file_info(path).type == fs.FileType.Directory:
        target.delete_dir(path)
    target.create_dir(path, recursive=True)
    fs.copy_files(
        str(folder), path, source_filesystem=fs.LocalFileSystem(), destination_filesystem=target
    )
    return _sums_in(folder)


@contextmanager
def pulled(uri: str, sums: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A local copy of the folder at `uri`, for as long as the context lasts.

    Args:
        uri: where `push` wrote it.
        sums: what `push` returned; None lets every content pass.

    Raises:
        DataError: there is no such folder, as the task before this one has not run; or it holds
            other files than were pushed.
    """
    source, path = _existing(uri, fs.FileType.Directory)
    with tempfile.TemporaryDirectory(prefix="plimsoll-") as scratch:
        fs.copy_files(
            path, scratch, source_filesystem=source, destination_filesystem=fs.LocalFileSystem()
        )
        if sums is not None:
            _refuse_others(uri, _sums_in(Path(scratch)), sums)
        yield Path(scratch)


def write_table(uri: str, table: pa.Table) -> str:
    """Write `table` to `uri` as Parquet; returns its sum."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return _put(uri, sink.getvalue())


def read_table(uri: str, *, sha256: str | None = None) -> pa.Table:
    """Read what `write_table` wrote to `uri`; with `sha256`, only that very file.

    Raises:
        DataError: nothing is there, or another file.
    """
    if sha256 is None:
        source, path = _existing(uri, fs.FileType.File)
        return pq.read_table(path, filesystem=source)
    return pq.read_table(pa.BufferReader(_content(uri, sha256)))


def write_json(uri: str, content: Any) -> str:
    """Write `content` to `uri` as JSON, its keys in their order; returns its sum.

    The order of keys is content: a detector's features are the inputs of its network in that order.
    """
    return _put(uri, json.dumps(content, indent=1).encode())


def write_text(uri: str, content: str) -> None:
    """Write `content` to `uri` as it is."""
    _put(uri, content.encode())


def read_json(uri: str, *, sha256: str | None = None) -> Any:
    """Read what `write_json` wrote to `uri`; with `sha256`, only that very file.

    Raises:
        DataError: nothing is there, or another file.
    """
    return json.loads(_content(uri, sha256))


def filesystem_at(uri: str) -> tuple[fs.FileSystem, str]:
    """The filesystem that `uri` lives on, and its path there."""
    if "://" not in uri:
        return fs.LocalFileSystem(), str(Path(uri).absolute())
    filesystem, path = fs.FileSystem.from_uri(uri)
    return filesystem, path


def folders_at(uri: str) -> dict[str, datetime]:
    """Names of the folders in the folder at `uri`, and when something in each last changed.

    If nothing is at `uri`, there are none.
    """
    source, path = filesystem_at(uri)
    found: dict[str, datetime] = {}
    for entry in source.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True)):
        name, inside, _ = entry.path.removeprefix(path).strip("/").partition("/")
        is_folder = entry.type == fs.FileType.Directory
        # An object store knows no folders and no time for them, only for the files in them.
        if (inside or is_folder) and entry.mtime is not None:
            changed = entry.mtime.astimezone(UTC)
            found[name] = max(changed, found.get(name, changed))
    return found


def names_at(uri: str) -> list[str]:
    """Names of the folders right in the folder at `uri`; if nothing is there, there are none.

    An object store may still show a folder that was emptied a moment ago.
    """
    source, path = filesystem_at(uri)
    found = source.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(each.base_name for each in found if each.type == fs.FileType.Directory)


def move(uri: str, target: str) -> None:
    """Move the folder at `uri` to `target`, where nothing may be; both at the same store.

    It copies everything before it deletes anything: a move that dies half-way may be done again.
    """
    source, path = filesystem_at(uri)
    _, there = filesystem_at(target)
    if isinstance(source, fs.LocalFileSystem):
        source.create_dir(there.rpartition("/")[0], recursive=True)
        source.move(path, there)
        return
    source.create_dir(there, recursive=True)
    fs.copy_files(path, there, source_filesystem=source, destination_filesystem=source)
    remove(uri)


def remove(uri: str) -> None:
    """Delete the folder at `uri` and all in it; no error if it is gone already."""
    target, path = filesystem_at(uri)
    if target.get_file_info(path).type == fs.FileType.Directory:
        # An object store shows an empty folder for a while that is not there any more.
        with suppress(FileNotFoundError):
            target.delete_dir(path)


def remove_empty(uri: str) -> None:
    """Delete the folder at `uri` if nothing is in it."""
    target, path = filesystem_at(uri)
    if not target.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        remove(uri)


def _existing(uri: str, kind: fs.FileType) -> tuple[fs.FileSystem, str]:
    """`filesystem_at` for something of `kind` that an earlier task must have left at `uri`."""
    source, path = filesystem_at(uri)
    if source.get_file_info(path).type != kind:
        msg = f"{uri} does not exist; run the task that makes it first, or clear the whole run."
        raise DataError(msg)
    return source, path


def _content(uri: str, sha256: str | None) -> bytes:
    """The file at `uri`, where a sum is asked for only if it has that sum."""
    source, path = _existing(uri, fs.FileType.File)
    with source.open_input_stream(path) as stream:
        content: bytes = stream.read()
    if sha256 is not None:
        _refuse_others(uri, {"": hashlib.sha256(content).hexdigest()}, {"": sha256})
    return content


def _sums_in(folder: Path) -> dict[str, str]:
    """The sum of each file in `folder`, by its path in it."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {each.relative_to(folder).as_posix(): _sum_of(each) for each in files}


def _sum_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _refuse_others(uri: str, found: Mapping[str, str], written: Mapping[str, str]) -> None:
    """Refuse files that are not those that were written.

    Raises:
        DataError: they are not; the message names the first that is not.
    """
    for name in sorted(found.keys() | written.keys()):
        if found.get(name) != written.get(name):
            msg = (
                f"{uri}{'/' if name else ''}{name} is not what the task before left there "
                f"(SHA-256 {_short(found.get(name))}, and it left {_short(written.get(name))}). "
                "Another run made the same candidate meanwhile, or somebody else wrote to the "
                "lake; nothing was judged. Clear the run from its first task on, and if it "
                "happens again read docs/security.md."
            )
            raise DataError(msg)


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 else "none"


def _put(uri: str, content: bytes | pa.Buffer) -> str:
    """Write `content` to `uri` so that a reader sees all of it or the old file; returns its sum."""
    target, path = filesystem_at(uri)
    target.create_dir(path.rpartition("/")[0], recursive=True)
    # An object store shows an object when it is complete; a local file must be moved into place.
    is_local = isinstance(target, fs.LocalFileSystem)
    first = f"{path}.{uuid.uuid4().hex}" if is_local else path
    with target.open_output_stream(first) as stream:
        stream.write(content)
    if is_local:
        target.move(first, path)
    return hashlib.sha256(content).hexdigest()
