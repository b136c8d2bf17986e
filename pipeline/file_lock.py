"""A lock on a file, between the processes of one host."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

UNTIL_FREE = -1.0
"""Wait as long as it takes."""


def file_lock(path: Path, *, wait_s: float = UNTIL_FREE) -> FileLock:
    """The lock at `path`, to be held by `with`; its folder is made.

    Whoever waits longer than `wait_s` seconds gets `filelock.Timeout`. The system frees the lock
    when its holder dies. So a file system that has no such locks is an error (OSError): filelock
    would otherwise lock by the existence of the file, which a dead holder leaves behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path, timeout=wait_s, fallback_to_soft=False)
