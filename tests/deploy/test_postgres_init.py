"""deploy/postgres/init.sh against a real PostgreSQL: who may do what, and who may not."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg2
import pytest
from psycopg2 import errors

from deploy.embedded import postgres
from deploy.embedded.unprivileged import as_unprivileged, give_to_server
from pipeline.errors import OutageError
from pipeline.ledger import Head, heads
from pipeline.ledger.keys import new_private_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parents[2] / "deploy" / "postgres" / "init.sh"
OWNERS = ("airflow", "celery", "mlflow", "plimsoll")
READER = "plimsoll_reader"
LEDGER = "plimsoll_ledger"
PASSWORDS = {role: f"{role}-of-the-test's" for role in (*OWNERS, LEDGER, READER)}
ADMINISTRATOR = "administrator-of-the-test"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A fresh cluster of `postgres` as the image makes it, with init.sh run twice."""
    folder = tmp_path_factory.mktemp("cluster")
    password = folder / "password"
    password.write_text(ADMINISTRATOR + "\n")
    cluster = folder / "data"
    cluster.mkdir(mode=0o700)
    for path in (cluster, password):
        give_to_server(path)
    initdb = [postgres.server_program("initdb"), "-D", cluster, "-U", "postgres", "--no-sync"]
    locale = ["-E", "UTF8", "--locale=C", "--no-instructions"]
    login = ["-A", "scram-sha-256", f"--pwfile={password}"]
    _run([*initdb, *locale, *login], cluster, password)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    settings = ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "log_statement=all"]
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            as_unprivileged(
                [str(postgres.server_program("postgres")), "-D", str(cluster), "-h", "127.0.0.1",
                 "-p", str(free), *settings],
                cluster,
            ),
            stderr=output, cwd="/",
        )  # fmt: skip
    try:
        _await(free, server, log)
        for _ in range(2):
            done = _initialise(free, PASSWORDS)
            assert done.returncode == 0, done.stderr
        assert "of-the-test" not in log.read_text()  # no password, however it is quoted
        yield free
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("role", OWNERS)
def test_a_role_makes_tables_in_its_own_database(port: int, role: str):
    with closing(_connect(port, role, role)) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE mine (n integer); INSERT INTO mine VALUES (1); TABLE mine")

        assert cursor.fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("role", "database"),
    [
        (role, database)
        for role in (*OWNERS, READER)
        for database in (*OWNERS, "postgres", "template1")
        if role != database and (role, database) != (READER, "plimsoll")
    ],
)
def test_a_role_cannot_enter_a_database_of_another(port: int, role: str, database: str):
    with pytest.raises(psycopg2.OperationalError, match=f'denied for database "{database}"'):
        _connect(port, role, database)


def test_a_role_is_not_let_in_with_the_password_of_another(port: int):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        _connect(port, "airflow", "airflow", password=PASSWORDS["mlflow"])


def test_only_who_signs_writes_the_heads_of_ledgers(port: int):
    key, head = new_private_key(), Head(3, "ab" * 32)

    def url(role: str) -> str:
        return f"postgresql://{role}:{quote(PASSWORDS[role])}@127.0.0.1:{port}/plimsoll"

    heads.keep(url(LEDGER), "pumps", head, key)

    for role in ("plimsoll", READER):
        assert heads.kept(url(role), "pumps", (key.public,)) == head
        with pytest.raises(OutageError, match=r"permission denied|read-only"):
            heads.keep(url(role), "pumps", replace(head, length=9), key)
    with closing(_connect(port, "plimsoll", "plimsoll")) as session, session.cursor() as cursor:
        for statement in ("DROP SCHEMA ledger CASCADE", "DROP TABLE ledger.heads"):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement)
            session.rollback()
    assert heads.kept(url(LEDGER), "pumps", (key.public,)) == head


def test_whoever_owns_the_database_cannot_have_the_one_who_signs_run_something(port: int):
    """`ALTER DATABASE ... SET search_path` is for everybody who connects later."""
    key = new_private_key()
    url = f"postgresql://{LEDGER}:{quote(PASSWORDS[LEDGER])}@127.0.0.1:{port}/plimsoll"
    heads.keep(url, "mixers", Head(3, "ab" * 32), key)
    with closing(_connect(port, "plimsoll", "plimsoll")) as session, session.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA evil; CREATE FUNCTION evil.to_regclass(text) RETURNS regclass AS "
            "$$ BEGIN DELETE FROM ledger.heads; RETURN NULL; END $$ LANGUAGE plpgsql; "
            "ALTER DATABASE plimsoll SET search_path = evil, pg_catalog, public"
        )
        session.commit()
    try:
        heads.keep(url, "mixers", Head(4, "cd" * 32), key)
        assert heads.kept(url, "mixers", (key.public,)) == Head(4, "cd" * 32)
    finally:
        with closing(_connect(port, "plimsoll", "plimsoll")) as session, session.cursor() as cursor:
            cursor.execute("ALTER DATABASE plimsoll RESET search_path; DROP SCHEMA evil CASCADE")
            session.commit()


def test_a_shorter_head_does_not_replace_a_longer_one_and_a_forged_one_is_refused(port: int):
    key, stranger = new_private_key(), new_private_key()
    url = f"postgresql://{LEDGER}:{quote(PASSWORDS[LEDGER])}@127.0.0.1:{port}/plimsoll"
    heads.keep(url, "fans", Head(3, "ab" * 32), key)
    heads.keep(url, "fans", Head(2, "cd" * 32), key)

    assert heads.kept(url, "fans", (key.public,)) == Head(3, "ab" * 32)
    assert heads.kept(url, "saws", (key.public,)) is None
    heads.keep(url, "fans", Head(2, "cd" * 32), key, shorter=True)
    assert heads.kept(url, "fans", (key.public,)) == Head(2, "cd" * 32)
    heads.keep(url, "fans", Head(4, "ef" * 32), stranger)
    with pytest.raises(ValueError, match="signed by no key that is trusted"):
        heads.kept(url, "fans", (key.public,))


def test_the_reader_sees_tables_that_are_made_later(port: int):
    with closing(_connect(port, "plimsoll", "plimsoll")) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE readings (n integer); INSERT INTO readings VALUES (7)")
        session.commit()

    with closing(_connect(port, READER, "plimsoll")) as session, session.cursor() as cursor:
        cursor.execute("SELECT n FROM readings")

        assert cursor.fetchall() == [(7,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO kept VALUES (1)",
        "UPDATE kept SET n = 1",
        "DELETE FROM kept",
        "TRUNCATE kept",
        "DROP TABLE kept",
        "CREATE TABLE own (n integer)",
        "CREATE TEMPORARY TABLE own (n integer)",
        "CREATE SCHEMA own",
    ],
)
def test_the_reader_writes_nothing_even_when_it_lifts_its_own_guard(port: int, statement: str):
    with closing(_connect(port, "plimsoll", "plimsoll")) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (n integer)")
        session.commit()

    with closing(_connect(port, READER, "plimsoll")) as session, session.cursor() as cursor:
        with pytest.raises(errors.ReadOnlySqlTransaction):
            cursor.execute(statement)
        session.rollback()
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
        session.commit()
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(statement)


def test_no_role_is_more_than_an_owner(port: int):
    with closing(_connect(port, "postgres", "postgres")) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND "
            "(rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)",
            ([*OWNERS, READER],),
        )

        assert cursor.fetchall() == []


def test_run_again_it_gives_a_role_its_new_password_and_keeps_the_data(port: int):
    with closing(_connect(port, "celery", "celery")) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE lasting (n integer)")
        session.commit()

    done = _initialise(port, {**PASSWORDS, "celery": "another-one"})

    assert done.returncode == 0, done.stderr
    with closing(_connect(port, "celery", "celery", password="another-one")) as session:  # noqa: S106 - made for this test
        session.cursor().execute("TABLE lasting")
    assert _initialise(port, PASSWORDS).returncode == 0


def test_an_empty_password_is_refused_by_name_before_anything_is_made(port: int):
    done = _initialise(port, {**PASSWORDS, "mlflow": ""})

    assert done.returncode == 1
    assert "MLFLOW_DB_PASSWORD is empty" in done.stderr


def _initialise(port: int, passwords: dict[str, str]) -> subprocess.CompletedProcess[str]:
    binaries = postgres.binary("psql").parent
    environment = {
        "PATH": f"{binaries}{os.pathsep}/usr/bin:/bin",
        "POSTGRES_USER": "postgres",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGPASSWORD": ADMINISTRATOR,
        **{f"{role.upper()}_DB_PASSWORD": word for role, word in passwords.items()},
    }
    return subprocess.run(
        ["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )


def _connect(port: int, role: str, database: str, password: str | None = None) -> connection:
    known = {**PASSWORDS, "postgres": ADMINISTRATOR}
    return psycopg2.connect(
        host="127.0.0.1", port=port, user=role, dbname=database,
        password=password or known[role], connect_timeout=5,
    )  # fmt: skip


def _run(command: list[object], *reached: Path) -> None:
    done = subprocess.run(
        as_unprivileged([str(part) for part in command], *reached),
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            _connect(port, "postgres", "postgres").close()
        except psycopg2.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
