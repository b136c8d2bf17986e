"""A real PostgreSQL for tests, from the same wheel and by the same commands as the embedded one."""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from deploy.embedded.postgres import UNPRIVILEGED, as_unprivileged, binary
from tests.ending import end

OWNER, PASSWORD = "plimsoll", "plimsoll-test"
_PATIENCE_S = 30


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """URL of the database `postgres` of a fresh server on loopback; stopped at the end."""
    cluster, password = folder / "cluster", folder / "password"
    cluster.mkdir(mode=0o700)
    password.write_text(PASSWORD)
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        for path in (cluster, password):
            os.chown(path, user.pw_uid, user.pw_gid)
    initdb = [
        binary("initdb"), "-D", cluster, "-U", OWNER, "-A", "scram-sha-256", "--no-sync",
        f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-instructions",
    ]  # fmt: skip
    subprocess.run(_command(initdb), check=True, capture_output=True, cwd="/")
    port = _free_port()
    serve = [
        binary("postgres"), "-D", cluster, "-h", "127.0.0.1", "-p", port,
        "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=32MB",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(_command(serve), stdout=log, stderr=log, cwd="/")
    try:
        dsn = f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        _await(dsn, server, folder / "log")
        yield dsn
    finally:
        end(server)


def execute(dsn: str, *statements: str) -> None:
    """Run each statement in a transaction of its own."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def fresh_database(server: str) -> str:
    """URL of a new, empty database of `server`."""
    name = f"test_{secrets.token_hex(6)}"
    execute(server, f"CREATE DATABASE {name}")
    return server.rsplit("/", 1)[0] + f"/{name}"


def _command(parts: list[object]) -> list[str]:
    return as_unprivileged([str(part) for part in parts])


def _await(dsn: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg2.connect(dsn, connect_timeout=3).close()
        except psycopg2.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
