"""SHA256SUMS: every file of a folder and its hash, in the format of `sha256sum --check`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.errors import BundleError

SUMS_FILE = "SHA256SUMS"


def write_sums(folder: Path) -> str:
    """Write the list for all files of `folder`; returns its own hash, which names the folder."""
    lines = [
        f"{file_hash(path)}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != SUMS_FILE
    ]
    text = "".join(lines).encode()
    (folder / SUMS_FILE).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def verify_sums(folder: Path) -> str:
    """Check every file against the list; returns the list's own hash.

    Raises:
        BundleError: there is no list, a file is changed, missing or not listed, or the folder
            holds something else than files.
    """
    path = folder / SUMS_FILE
    if not path.is_file():
        msg = f"{path}: is missing, so {folder} is no bundle; give a folder that `fit` has written"
        raise BundleError(msg)
    text = path.read_bytes()
    listed = dict(_entry(path, line) for line in text.decode(errors="replace").splitlines())
    found = {entry.name for entry in folder.iterdir()} - {SUMS_FILE}
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink() or not entry.is_file():
            msg = (
                f"{entry}: is a link or a folder; a bundle is files only, so that nothing outside "
                "it counts: fetch it again"
            )
            raise BundleError(msg)
    for name in sorted(found ^ set(listed)):
        state = "is listed and missing" if name in listed else "is not listed"
        msg = (
            f"{folder / name}: {state} in {SUMS_FILE}; a bundle is immutable and complete: fetch "
            "it again"
        )
        raise BundleError(msg)
    for name, expected in listed.items():
        actual = file_hash(folder / name)
        if actual != expected:
            msg = (
                f"{folder / name}: has sha256 {actual[:12]}..., {SUMS_FILE} says "
                f"{expected[:12]}...; the file is damaged or was changed: fetch the bundle again"
            )
            raise BundleError(msg)
    return hashlib.sha256(text).hexdigest()


def file_hash(path: Path) -> str:
    """The sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _entry(path: Path, line: str) -> tuple[str, str]:
    expected, _, name = line.partition("  ")
    if not name or "/" in name:
        msg = f"{path}: the line {line[:80]!r} is not `<sha256>  <file>`; fetch the bundle again"
        raise BundleError(msg)
    return name, expected
