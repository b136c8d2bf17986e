"""The text of a detector file, or an error that says what the path is instead."""

from __future__ import annotations

import stat
from pathlib import Path

from pipeline.config.shown import shown
from pipeline.errors import ConfigError

MOST_BYTES = 1_000_000
"""Largest size of a detector file: that of one with some twenty thousand features."""

_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """The text of a detector file.

    Raises:
        ConfigError: it is no file, cannot be read, is too large, or is no UTF-8.
    """
    try:
        # Not opened before it is known to be a file: a pipe would let its reader wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "no regular file"
            msg = f"{path}: is {kind}; give the path of a detector file"
            raise ConfigError(msg)
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a zero in it is a ValueError
        if path.is_symlink() and not path.exists():
            msg = f"{path}: is a link to what is not there; remove it, or put the file there"
            raise ConfigError(msg) from error
        why = getattr(error, "strerror", None) or error
        msg = f"{path}: cannot be read ({why}); give the path of a detector file"
        raise ConfigError(msg) from error
    if len(content) > MOST_BYTES:
        msg = (
            f"{path}: is larger than {MOST_BYTES:,} bytes, the limit of a detector file; keep "
            "data elsewhere"
        )
        raise ConfigError(msg)
    return _decoded(path, content)


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith(_BOMS):
        msg = f"{path}:1: the file is UTF-16 or UTF-32; save it as UTF-8"
        raise ConfigError(msg)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before.count(b"\n") + 1
        near = before.rpartition(b"\n")[2].decode("utf-8", "replace")
        msg = (
            f"{path}:{line}: the byte 0x{error.object[error.start]:02x} after "
            f"{shown(near[-20:])} is no UTF-8 (Latin-1 perhaps); save the file as UTF-8"
        )
        raise ConfigError(msg) from error
