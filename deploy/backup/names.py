"""Names of files in a backup: inside their folder, and the same on every system.

A name that a manifest lists decides where a restore writes. So no name may leave its folder,
or mean different files on different systems. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from deploy.backup.errors import BackupError

_LONGEST = 1024  # an S3 key; a local path may have more


def refuse_odd(name: str, where: str) -> None:
    r"""Refuse a name that is no plain path below the place `where`.

    Raises:
        BackupError: it is absolute or empty, a part of it is empty, `.` or `..`, or it holds a
            backslash, a control character or no Unicode.
    """
    parts = name.split("/")
    fault = ""
    if not name or name.startswith("/"):
        fault = "is empty or absolute"
    elif {"", ".", ".."} & set(parts):
        fault = "has an empty part, . or .."
    elif "\\" in name or any(unicodedata.category(each) in {"Cc", "Cs"} for each in name):
        fault = "holds a backslash or a control character"
    elif len(name.encode(errors="replace")) > _LONGEST:
        fault = f"has more than {_LONGEST:,} bytes"
    if fault:
        msg = (
            f"{where}: the file name {name[:120]!r} {fault}, so it could lie outside the backup or "
            "be another file elsewhere. Nothing was written; rename it where it lies, or use "
            "another backup."
        )
        raise BackupError(msg)


def refuse_clashes(names: Iterable[str], where: str) -> None:
    """Refuse names that are the same file on some file system.

    Raises:
        BackupError: two differ in upper and lower case or in how a letter is composed, or one is a
            folder in another.
    """
    seen: dict[str, str] = {}
    for name in sorted(names):
        if (other := seen.setdefault(_folded(name), name)) != name:
            _refuse(other, name, where)
    for folded, name in seen.items():
        folder = folded
        while folder := folder.rpartition("/")[0]:
            if folder in seen:
                _refuse(seen[folder], name, where)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _refuse(one: str, other: str, where: str) -> None:
    msg = (
        f"{where}: {one[:120]!r} and {other[:120]!r} are one name on some file systems, and a "
        "restore would write one over the other. Nothing was written; rename one where it lies."
    )
    raise BackupError(msg)
