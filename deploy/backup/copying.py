"""Copy streams between places and hash them; memory does not grow with the file.

Whoever can write where a backup lies can exchange a file after it was verified. So a restore
compares what it reads with the manifest while it reads it, and uses only what it has compared.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, BinaryIO

import pyarrow as pa
from pyarrow import fs

from deploy.backup.errors import BackupError
from deploy.backup.manifest import FileEntry
from deploy.backup.places import Place

CHUNK = 4 * 2**20

_DIGITS = 16  # of a sha256, in messages


def copy(source: Place, name: str, target: Place, *, limit: int | None = None) -> FileEntry | None:
    """Copy the file `name` to the same name in `target`; None if it is gone.

    A file of more than `limit` bytes is copied to the first chunk beyond them.
    """
    try:
        stream = source.open_input(name)
    except FileNotFoundError:
        return None
    with stream:
        try:
            return write(stream, target, name, limit=limit)
        except OSError:
            # An object can vanish between two of the requests that fetch it.
            if source.filesystem.get_file_info(source.path(name)).type == fs.FileType.NotFound:
                return None
            raise


def write(
    stream: pa.NativeFile | BinaryIO, target: Place, name: str, *, limit: int | None = None
) -> FileEntry:
    """Write all that `stream` has to the file `name` of `target`; its size and hash."""
    with target.open_output(name) as sink:
        return _pumped(stream, sink, limit)


def measure(source: Place, name: str) -> FileEntry | None:
    """Size and hash of the file `name`; None if there is none."""
    digest, size = hashlib.sha256(), 0
    try:
        with source.open_input(name) as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        return None
    return FileEntry(size, digest.hexdigest())


def copy_back(source: Place, name: str, target: Place, expected: FileEntry) -> None:
    """Restore a file of a backup; what is not that file does not stay in `target`.

    Raises:
        BackupError: it is no longer the file that the manifest lists.
    """
    found = None
    try:
        found = copy(source, name, target, limit=expected.size)
    finally:
        if found != expected:  # broken off too: nobody has compared what was copied by then
            target.remove(name)
    if found != expected:
        raise _changed(source, name, found, expected)


@contextmanager
def compared(source: Place, name: str, expected: FileEntry) -> Iterator[IO[bytes]]:
    """A private local copy of a file of a backup, opened at its beginning once it was compared.

    It has no name and can be opened by nobody else, so it cannot be exchanged any more; and nothing
    of it is left, however this process ends.

    Raises:
        BackupError: it is no longer the file that the manifest lists, or there is no room for it.
    """
    with tempfile.TemporaryFile() as held:
        try:
            with source.open_input(name) as stream:
                found: FileEntry | None = _pumped(stream, held, expected.size)
            held.flush()
        except FileNotFoundError:
            found = None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            with suppress(OSError):  # it would write again what found no room, and hide the reason
                held.close()
            raise _no_room(source, name, expected.size) from error
        if found != expected:
            raise _changed(source, name, found, expected)
        held.seek(0)
        yield held


def refuse_no_room(source: Place, name: str, size: int) -> None:
    """Refuse a file of `size` bytes that the temporary folder has no room for.

    Raises:
        BackupError: it has less.
    """
    if size > _room():
        raise _no_room(source, name, size)


def _pumped(
    stream: pa.NativeFile | BinaryIO, sink: pa.NativeFile | IO[bytes], limit: int | None
) -> FileEntry:
    """Write `stream` to `sink`; what is longer than `limit` ends there, and is not what it was."""
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        sink.write(chunk)
        digest.update(chunk)
        size += len(chunk)
        if limit is not None and size > limit:
            break
    return FileEntry(size, digest.hexdigest())


def _changed(source: Place, name: str, found: FileEntry | None, expected: FileEntry) -> BackupError:
    def told(entry: FileEntry) -> str:
        return f"{entry.size:,} bytes with the sha256 {entry.sha256[:_DIGITS]}"

    if found is None:
        now = "it is gone"
    elif found.size > expected.size:
        now = f"it has more than {expected.size:,} bytes"
    else:
        now = f"it has {told(found)}"
    return BackupError(
        f"{source.uri}/{name} changed while it was restored: {now}, and the manifest lists "
        f"{told(expected)}. Nothing of it was used. Find out who writes there, verify the backup, "
        "then restore again with --replace."
    )


def _no_room(source: Place, name: str, size: int) -> BackupError:
    return BackupError(
        f"{source.uri}/{name} has {size:,} bytes, and the temporary folder {tempfile.gettempdir()} "
        f"has room for {_room():,}: a dump is copied there and compared before PostgreSQL gets it. "
        "Set TMPDIR to a folder with more, then restore again."
    )


def _room() -> int:
    return shutil.disk_usage(tempfile.gettempdir()).free
