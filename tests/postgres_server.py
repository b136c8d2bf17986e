"""A real PostgreSQL for tests, from the same wheel and by the same commands as the embedded one."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from deploy.embedded import postgres, roles
from deploy.embedded.stack import Stack
from deploy.embedded.unprivileged import as_unprivileged, give_to_server
from tests.ending import end

OWNER, PASSWORD = "plimsoll", "plimsoll-test"
_PATIENCE_S = 30


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """URL of the database `postgres` of a fresh server on loopback; stopped at the end."""
    cluster, password = folder / "cluster", folder / "password"
    cluster.mkdir(mode=0o700)
    password.write_text(PASSWORD)
    for path in (cluster, password):
        give_to_server(path)
    initdb = [
        postgres.server_program("initdb"), "-D", cluster, "-U", OWNER, "--no-sync",
        "-A", "scram-sha-256", f"--pwfile={password}",
        "-E", "UTF8", "--locale=C", "--no-instructions",
    ]  # fmt: skip
    subprocess.run(_command(initdb, cluster, password), check=True, capture_output=True, cwd="/")
    port = free_port()
    serve = [
        postgres.server_program("postgres"), "-D", cluster, "-h", "127.0.0.1", "-p", port,
        "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=32MB",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(_command(serve, cluster), stdout=log, stderr=log, cwd="/")
    try:
        dsn = f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        _await(dsn, server, folder / "log")
        yield dsn
    finally:
        end(server)


@contextmanager
def serving(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """The PostgreSQL of an embedded stack whose cluster is made, as its supervisor starts it."""
    with stack.layout.log_of("postgres").open("a") as log:
        server = subprocess.Popen(
            postgres.server_command(stack), stdout=log, stderr=log, cwd=stack.layout.home
        )
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while (why := roles.server_unready(stack)) is not None:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{why}: {stack.layout.log_of('postgres').read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown
        server.wait(_PATIENCE_S)


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


def _command(parts: list[object], *reached: Path) -> list[str]:
    return as_unprivileged([str(part) for part in parts], *reached)


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
