"""The code and the packages that made a bundle."""

from __future__ import annotations

import hashlib
import subprocess

from pipeline.settings import REPOSITORY

UNKNOWN = "unknown"
STAMP = REPOSITORY / "REVISION"  # written into the application image, which has no history


def code_version() -> str:
    """The commit of this checkout, with `+changes` when files differ from it.

    Without a git history it is the stamp of the image, else `unknown`.
    """
    if STAMP.exists():
        return STAMP.read_text().strip()
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return UNKNOWN
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changed else commit


def lock_hash() -> str:
    """sha256 of the requirements lock; `unknown` where it is not shipped."""
    lock = REPOSITORY / "requirements.txt"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else UNKNOWN


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(REPOSITORY), *arguments],  # noqa: S607 - git is found like any tool
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return result.stdout.strip()
