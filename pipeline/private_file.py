"""Files that are there whole or not at all, and whose readers are chosen before they hold anything.

The standard library only, for hosts without more.
"""

from __future__ import annotations

import os
from pathlib import Path

_OWNER_ONLY = 0o600


def write_private(path: Path, text: str, mode: int = _OWNER_ONLY) -> None:
    """Replace `path` in one step by a file that, unless `mode` says otherwise, its owner reads."""
    _beside(path, text, mode).replace(path)


def create_private(path: Path, text: str, mode: int = _OWNER_ONLY) -> bool:
    """Write a file that is not there yet; returns whether we, of several processes, wrote it."""
    fresh = _beside(path, text, mode)
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True


def _beside(path: Path, text: str, mode: int) -> Path:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    # Made by us: one that is there already could be a link, or readable by others.
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return fresh
