"""Copy streams between places and hash them; memory does not grow with the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
from pyarrow import fs

from deploy.backup.errors import BackupError
from deploy.backup.manifest import FileEntry
from deploy.backup.places import Place

CHUNK = 4 * 2**20


def copy(source: Place, name: str, target: Place) -> FileEntry | None:
    """Copy the file `name` to the same name in `target`; None if it is gone."""
    try:
        stream = source.open_input(name)
    except FileNotFoundError:
        return None
    with stream:
        try:
            return write(stream, target, name)
        except OSError:
            # An object can vanish between two of the requests that fetch it.
            if source.filesystem.get_file_info(source.path(name)).type == fs.FileType.NotFound:
                return None
            raise


def write(stream: pa.NativeFile | BinaryIO, target: Place, name: str) -> FileEntry:
    """Write all that `stream` has to the file `name` of `target`; its size and hash."""
    digest, size = hashlib.sha256(), 0
    with target.open_output(name) as sink:
        while chunk := stream.read(CHUNK):
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(size, digest.hexdigest())


def chunks(source: Place, name: str) -> Iterator[bytes]:
    """The content of the file `name`, in order."""
    with source.open_input(name) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def measure(source: Place, name: str) -> FileEntry | None:
    """Size and hash of the file `name`; None if there is none."""
    digest, size = hashlib.sha256(), 0
    try:
        for chunk in chunks(source, name):
            digest.update(chunk)
            size += len(chunk)
    except FileNotFoundError:
        return None
    return FileEntry(size, digest.hexdigest())


def copy_back(source: Place, name: str, target: Place, expected: FileEntry) -> None:
    """Restore a file of a backup.

    Raises:
        BackupError: it is no longer the file that the manifest lists.
    """
    if copy(source, name, target) != expected:
        msg = f"{source.uri}/{name} changed while it was restored; verify the backup, then restore "
        raise BackupError(msg + "again with --replace.")
