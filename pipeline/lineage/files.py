"""Lineage in files: the transport that needs no server and no configuration.

`events.jsonl` holds one event for each line, as OpenLineage's own file transport writes them. When
it is full it becomes `events-<UTC time>.jsonl`, and of those the newest are kept, so that the
folder stays below `FILES_KEPT` x `FILE_BYTES` and a little. Any number of processes of one host may
write: a line is one write, under a lock. Two hosts need two folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout
from openlineage.client.client import Event
from openlineage.client.serde import Serde
from openlineage.client.transport import Config, Transport

from pipeline.file_lock import file_lock

FILE_BYTES = 16 * 2**20
"""A file is full at this size; about 8,000 events."""

FILES_KEPT = 16
"""Full files that are kept: with the open one at most 272 MiB."""

_LOCK_S = 1.0  # longest wait for other writers; each needs a millisecond
_POLL_S = 0.005


class LineageFiles(Transport):
    """Appends events to the files of one folder."""

    kind = "plimsoll_files"
    config_class = Config

    def __init__(
        self, folder: Path, *, file_bytes: int = FILE_BYTES, files_kept: int = FILES_KEPT
    ) -> None:
        self.folder = folder
        self._file_bytes, self._files_kept = file_bytes, files_kept

    def emit(self, event: Event) -> None:
        """Append one line.

        Raises:
            OSError: the folder cannot be written, or other writers held it for a second.
        """
        self.append(Serde.to_json(event))

    def append(self, line: str) -> None:
        """Append `line`, which must not have a line break inside; as `emit`."""
        current = self.folder / "events.jsonl"
        with _locked(self.folder / ".lock"):
            if current.exists() and current.stat().st_size >= self._file_bytes:
                self._put_away(current)
            # One write to a file opened for appending, so that not even a reader sees half a line.
            opened = os.open(current, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(opened, f"{line}\n".encode())
            finally:
                os.close(opened)

    def _put_away(self, full: Path) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        full.rename(full.with_name(f"events-{stamp}.jsonl"))
        for old in sorted(self.folder.glob("events-*.jsonl"))[: -self._files_kept]:
            old.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the folder."""
    try:
        lock = file_lock(path, wait_s=_LOCK_S).acquire(poll_interval=_POLL_S)
    except Timeout:
        msg = f"{path}: other writers held it for {_LOCK_S:g} s"
        raise TimeoutError(msg) from None
    with lock:
        yield
