"""A detector file is data: its query cannot harm real databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
import sqlalchemy

from pipeline.config import DetectorSpec, SqlSource, database_source, load_detector
from pipeline.data.sources.databases import DATABASES
from pipeline.data.sources.sql import fetch
from pipeline.errors import ConfigError, DataError, OutageError, PlimsollError
from tests.builders import FIRST_DAY, make_spec, moment
from tests.config.files import content, put_changed
from tests.postgres_server import execute, running_postgres

VARIABLE = "PLIMSOLL_SOURCE_PLANT"
ROWS = "SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end"
B1 = "COPY (SELECT 'x' WHERE :start < :end) TO PROGRAM 'id > {mark}'"


def read(query: str, variable: str = VARIABLE, **more: Any):
    config = SqlSource(kind="sql", url_env=variable, query=query, **more)
    start = moment(FIRST_DAY)
    return fetch(config, make_spec().columns, start, start + timedelta(days=1), Path("unused"))


FOREIGN = [
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW_CONN_PLANT",
    "PLIMSOLL_DATABASE",
    "PLIMSOLL_BACKUP_POSTGRES",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_BACKEND_STORE_URI",
    "AWS_SECRET_ACCESS_KEY",
    "PGPASSWORD",
    "PATH",
    "PLANT_URL",
    "PLIMSOLL_SOURCE_",
    "XPLIMSOLL_SOURCE_PLANT",
]


@pytest.mark.parametrize("variable", FOREIGN)
def test_a_variable_that_is_not_a_sources_is_refused_by_check_and_by_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, "sqlite:////tmp/secret.db?password=geheim")
    source = {"kind": "sql", "url_env": variable, "query": ROWS}

    with pytest.raises(ConfigError) as at_check:
        load_detector(put_changed(tmp_path, source=source))
    with pytest.raises(ConfigError) as at_work:
        read(ROWS, variable)

    for said in (str(at_check.value), str(at_work.value)):
        assert f"source.url_env: got {variable}; a source reads only variables named" in said
        assert "Put the URL into PLIMSOLL_SOURCE_" in said
        assert "geheim" not in said
        assert len(said) < 500
    assert ".yaml:" in str(at_check.value)


def test_the_fix_keeps_a_name_of_ones_own_and_no_name_of_the_deployment(tmp_path: Path):
    def said(variable: str) -> str:
        source = {"kind": "sql", "url_env": variable, "query": ROWS}
        with pytest.raises(ConfigError) as caught:
            load_detector(put_changed(tmp_path, source=source))
        return str(caught.value)

    assert "into PLIMSOLL_SOURCE_PLANT_URL where" in said("PLANT_URL")
    assert "into PLIMSOLL_SOURCE_PLANT where" in said("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    assert "into PLIMSOLL_SOURCE_PLANT where" in said("PLIMSOLL_DATABASE")


def test_a_detector_that_was_staged_before_the_rule_is_still_understood():
    """A candidate that waits for an answer holds the file as it was; nothing is fetched by it."""
    staged = content(source={"kind": "sql", "url_env": "PLANT_URL", "query": ROWS})

    assert DetectorSpec.model_validate(staged).source.kind == "sql"


@pytest.mark.parametrize("limit", ["0s", "31min", "-1s"])
def test_a_time_limit_that_no_task_keeps_is_refused(tmp_path: Path, limit: str):
    source = {"kind": "sql", "url_env": VARIABLE, "query": ROWS, "time_limit": limit}

    with pytest.raises(ConfigError, match=r"source\.time_limit"):
        load_detector(put_changed(tmp_path, source=source))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        (B1, "COPY"),
        ("-- SELECT\nDELETE FROM rows", "DELETE"),
        ("/* SELECT */ ( ( call x()", "call"),
        ("/* /* */ SELECT */ DO $$BEGIN END$$", "/* /* */ SELECT"),
        ("; SELECT 1", "; SELECT"),
        ("'SELECT'", "'SELECT'"),
        ("SELECTED", "SELECTED"),
        ("--", "--"),
    ],
)
def test_a_query_that_is_no_select_is_refused_by_check(tmp_path: Path, query: str, word: str):
    source = {"kind": "sql", "url_env": VARIABLE, "query": f"{query}\n-- :start :end"}

    with pytest.raises(ConfigError) as caught:
        load_detector(put_changed(tmp_path, source=source))

    said = str(caught.value)
    assert f"source.query: begins with {word}" in said
    assert "a source only reads: write one SELECT" in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "query",
    [
        "select 1",
        "\n  -- all of them\n/* a; b */ SELECT 1",
        "(SELECT 1)",
        "WITH a AS (SELECT 1) TABLE a",
    ],
)
def test_a_query_that_reads_passes(tmp_path: Path, query: str):
    source = {"kind": "sql", "url_env": VARIABLE, "query": f"{query}\n-- :start :end"}

    assert load_detector(put_changed(tmp_path, source=source)).source.kind == "sql"


# PostgreSQL


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the superuser, without a database; `plant` has rows that `reader` may read."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        base = url.rpartition("/")[0]
        execute(f"{base}/postgres", "CREATE DATABASE plant")
        execute(
            f"{base}/plant",
            'CREATE TABLE rows ("timestamp" timestamp, pump text, flow float8, pressure float8, '
            "angle float8)",
            f"INSERT INTO rows VALUES ('{FIRST_DAY}', 'P1', 1, 2, 3)",  # noqa: S608 - made of constants
            "CREATE TABLE owned (n integer)",
            "CREATE SEQUENCE counter",
            *reader_of("reader"),
            # A reader that may write as well: only the transaction stops it.
            "CREATE ROLE writer LOGIN PASSWORD 'r'",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO writer",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writer",
            "GRANT CREATE ON SCHEMA public TO writer",
            "CREATE FUNCTION sneak() RETURNS integer LANGUAGE plpgsql AS "
            "'BEGIN INSERT INTO owned VALUES (1); RETURN 1; END'",
            "CREATE PROCEDURE leave() LANGUAGE plpgsql AS "
            "'BEGIN COMMIT; INSERT INTO owned VALUES (1); COMMIT; END'",
        )
        yield base


def reader_of(role: str) -> list[str]:
    return [f"CREATE ROLE {role} LOGIN PASSWORD 'r'", f"GRANT SELECT ON rows TO {role}"]


def url_of(server: str, role: str) -> str:
    return f"postgresql+psycopg2://{role}:r@{server.rpartition('@')[2]}/plant"


@pytest.fixture
def as_role(server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda role: monkeypatch.setenv(VARIABLE, url_of(server, role))


def ask(server: str, query: str) -> Any:
    with closing(psycopg2.connect(f"{server}/plant")) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture
def untouched(server: str, tmp_path: Path) -> Iterator[Path]:
    """Nothing was written or run: the tables, roles and settings are what they were."""
    mark = Path("/tmp") / f"plimsoll-attack-{tmp_path.name}"  # noqa: S108 - where nobody may write
    state = (
        "SELECT (SELECT count(*) FROM owned), (SELECT count(*) FROM rows), "
        "(SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_roles), "
        "(SELECT last_value FROM counter), (SELECT is_called FROM counter), "
        "(SELECT count(*) FROM pg_replication_slots), "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
    )
    before = ask(server, state)
    yield mark
    assert ask(server, state) == before
    assert not mark.exists()


@pytest.fixture(params=["all", "the database alone"])
def layers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds by itself must hold by each of its layers."""
    if request.param != "all":
        monkeypatch.setattr(database_source, "why_not_the_query", lambda _: None)


@pytest.mark.integration
@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("role", ["reader", "writer"])
@pytest.mark.parametrize(
    "attack",
    [
        B1,
        "COPY (SELECT 'x') TO PROGRAM 'id > {mark}' -- :start :end",
        "COPY (SELECT 'x' WHERE :start < :end) TO '{mark}'",
        "COPY owned FROM PROGRAM 'id > {mark}' WHERE :start < :end",
        "INSERT INTO owned SELECT 1 WHERE :start < :end RETURNING n",
        "WITH w AS (INSERT INTO owned VALUES (1) RETURNING n) SELECT * FROM w WHERE :start < :end",
        "UPDATE rows SET flow = 9 WHERE timestamp >= :start AND timestamp < :end RETURNING *",
        "DELETE FROM rows WHERE timestamp >= :start AND timestamp < :end RETURNING *",
        "CREATE TABLE made AS SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end",
        "SELECT * INTO made FROM rows WHERE timestamp >= :start AND timestamp < :end",
        "SELECT nextval('counter') WHERE :start < :end",
        "SELECT sneak() WHERE :start < :end",
        "SELECT query_to_xml('INSERT INTO owned VALUES (1)', true, true, '') WHERE :start < :end",
        "SELECT lo_create(99) WHERE :start < :end",
        "SELECT lo_export(1, '{mark}') WHERE :start < :end",
        "SELECT pg_read_file('/etc/passwd') WHERE :start < :end",
        "EXPLAIN ANALYZE INSERT INTO owned SELECT 1 WHERE :start < :end",
        # Out of the transaction, or back to one that writes.
        "SELECT 1 WHERE :start < :end; COMMIT; INSERT INTO owned VALUES (1)",
        "SELECT 1 WHERE :start < :end; COMMIT; COPY (SELECT 1) TO PROGRAM 'id > {mark}'",
        "COMMIT; INSERT INTO owned SELECT 1 WHERE :start < :end",
        "ROLLBACK; BEGIN READ WRITE; INSERT INTO owned SELECT 1 WHERE :start < :end; COMMIT",
        r"INSERT INTO owned VALUES (1); COMMIT -- \:start \:end",
        r"SELECT 1; COMMIT; INSERT INTO owned VALUES (1); COMMIT; SELECT '\:start \:end'",
        "COMMIT -- :start :end",
        "COMMIT AND CHAIN -- :start :end",
        "SET TRANSACTION READ WRITE -- :start :end",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE -- :start :end",
        "SELECT set_config('transaction_read_only', 'off', true), sneak() WHERE :start < :end",
        "CALL leave() -- :start :end",
        "DO $$BEGIN COMMIT; INSERT INTO owned VALUES (1); COMMIT; END$$ -- :start :end",
        "PREPARE x AS INSERT INTO owned VALUES (1) -- :start :end",
        # To be somebody else.
        "SET ROLE plimsoll -- :start :end",
        "SELECT set_config('role', 'plimsoll', false), sneak() WHERE :start < :end",
        "SELECT set_config('session_authorization', 'plimsoll', false) WHERE :start < :end",
        "ALTER ROLE CURRENT_USER SUPERUSER -- :start :end",
    ],
)
def test_a_query_writes_nothing_runs_nothing_and_stays_in_its_transaction(
    as_role: Callable[[str], None], untouched: Path, attack: str, role: str
):
    as_role(role)

    with pytest.raises(PlimsollError) as caught:
        read(attack.format(mark=untouched))

    assert len(str(caught.value)) < 1000
    assert ":r@" not in str(caught.value)


@pytest.mark.integration
def test_a_superuser_is_refused_before_its_query_is_asked(
    server: str, untouched: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, f"{server}/plant")

    with pytest.raises(ConfigError, match="begins with COPY; a source only reads"):
        read(B1.format(mark=untouched))
    with pytest.raises(ConfigError) as caught:
        read("SELECT pg_read_file('/etc/passwd') WHERE :start < :end")

    said = str(caught.value)
    assert f"The role plimsoll in {VARIABLE} is a superuser" in said
    assert "CREATE ROLE plimsoll_source LOGIN" in said
    assert 'GRANT CONNECT ON DATABASE "plant"' in said
    assert "plimsoll-test" not in said
    assert len(said) < 700


@pytest.mark.integration
@pytest.mark.parametrize(
    ("role", "made", "expected"),
    [
        ("runs", "GRANT pg_execute_server_program TO runs", "may run programs"),
        ("reads", "GRANT pg_read_server_files TO reads", "may read files"),
        ("writes", "GRANT pg_write_server_files TO writes", "may write files"),
        ("lazy", "GRANT pg_read_server_files TO lazy WITH INHERIT FALSE", "may read files"),
        (
            "nested",
            "CREATE ROLE one; CREATE ROLE two; GRANT one TO nested; GRANT two TO one; "  # noqa: ISC004 - one statement
            "GRANT pg_execute_server_program TO two",
            "is a member of pg_execute_server_program, which may run programs",
        ),
        (
            "deputy",
            "CREATE ROLE chief SUPERUSER; GRANT chief TO deputy",
            "is a member of chief, which is a superuser",
        ),
        ("maker", "ALTER ROLE maker CREATEROLE", "may make roles (CREATEROLE)"),
        ("copier", "ALTER ROLE copier REPLICATION", "may replicate (REPLICATION)"),
        (
            "granted",
            "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO granted",
            "may call pg_read_file",
        ),
        # One who logs in as a superuser and hides behind a plain role.
        (
            "hidden",
            "ALTER ROLE hidden SUPERUSER; ALTER ROLE hidden SET role = 'reader'",
            "The role hidden in",
        ),
    ],
)
def test_a_role_that_may_do_more_than_read_is_refused_by_name(
    server: str, as_role: Callable[[str], None], role: str, made: str, expected: str
):
    execute(f"{server}/plant", *reader_of(role), *made.split("; "))
    as_role(role)

    with pytest.raises(ConfigError) as caught:
        read(ROWS)

    assert f"The role {role} in {VARIABLE} " in str(caught.value)
    assert expected in str(caught.value)
    assert "CREATE ROLE plimsoll_source" in str(caught.value)


@pytest.mark.integration
@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_the_role_of_the_refusal_reads(server: str, driver: str, monkeypatch: pytest.MonkeyPatch):
    url = url_of(server, "reader").replace("postgresql+psycopg2", driver)
    monkeypatch.setenv(VARIABLE, url)

    assert len(read(ROWS)) == 1


@pytest.mark.integration
def test_a_superuser_is_refused_whatever_its_query_is(
    server: str, untouched: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, f"{server}/plant")
    monkeypatch.setattr(database_source, "why_not_the_query", lambda _: None)

    with pytest.raises(ConfigError, match=r"The role plimsoll in .* is a superuser"):
        read(B1.format(mark=untouched))


@pytest.mark.integration
def test_a_function_that_outlives_its_statement_ends_with_its_transaction(
    server: str, as_role: Callable[[str], None]
):
    execute(
        f"{server}/plant",
        "CREATE OR REPLACE FUNCTION stubborn() RETURNS integer LANGUAGE plpgsql AS 'BEGIN LOOP "
        "BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END'",
    )
    as_role("reader")

    with pytest.raises(OutageError, match="transaction timeout"):
        read("SELECT stubborn() WHERE :start < :end", time_limit="1s")


@pytest.mark.integration
def test_a_query_that_sleeps_is_ended_at_its_limit(as_role: Callable[[str], None]):
    as_role("reader")
    # Its own way to more time counts for later statements, of which there is none.
    query = "SELECT set_config('statement_timeout', '0', true), pg_sleep(30) WHERE :start < :end"

    with pytest.raises(OutageError, match=r"longer than source\.time_limit \(0:00:01\).*raise"):
        read(query, time_limit="1s")


@pytest.mark.integration
def test_a_query_does_not_wait_for_ever_for_a_lock(
    server: str, as_role: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
):
    from pipeline.data.sources.databases import postgresql

    monkeypatch.setattr(postgresql, "_LOCK_MS", 300)
    as_role("reader")
    with closing(psycopg2.connect(f"{server}/plant")) as other:
        other.cursor().execute("LOCK TABLE rows IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(OutageError, match="lock timeout"):
            read(ROWS)


# SQLite


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of one table, which is byte for byte the same after the test."""
    path = tmp_path / "plant 100%.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rows (timestamp, pump, flow, pressure, angle)")
        connection.execute(f"INSERT INTO rows VALUES ('{FIRST_DAY} 00:00:00', 'P1', 1, 2, 3)")  # noqa: S608 - made of constants
        connection.commit()
    before = path.read_bytes(), set(tmp_path.iterdir())
    monkeypatch.setenv(VARIABLE, f"sqlite:///{path}")
    yield path
    assert (path.read_bytes(), set(tmp_path.iterdir())) == before


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM rows WHERE timestamp >= :start AND timestamp < :end",
        "DELETE FROM rows WHERE timestamp >= :start AND timestamp < :end RETURNING *",
        "UPDATE rows SET flow = 9 WHERE timestamp >= :start AND timestamp < :end RETURNING *",
        "INSERT INTO rows SELECT *, :start, :end FROM rows RETURNING *",
        "CREATE TABLE made AS SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end",
        "CREATE TEMP TABLE made AS SELECT * FROM rows WHERE :start < :end",
        "VACUUM INTO :start || :end",
        "ATTACH 'made.db' AS made -- :start :end",
        "ATTACH 'file:made.db?mode=rwc' AS made -- :start :end",
        "PRAGMA writable_schema = ON -- :start :end",
        "PRAGMA query_only = OFF -- :start :end",
        "PRAGMA journal_mode = WAL -- :start :end",
        "DROP TABLE rows -- :start :end",
        "BEGIN IMMEDIATE -- :start :end",
        "SELECT load_extension('made') FROM rows WHERE timestamp >= :start AND timestamp < :end",
        "SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end; DROP TABLE rows",
        r"DROP TABLE rows -- \:start \:end",
    ],
)
@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("form", ["path", "uri"])
def test_a_query_changes_nothing_in_sqlite_and_opens_no_other_file(
    plant: Path, monkeypatch: pytest.MonkeyPatch, attack: str, form: str
):
    monkeypatch.chdir(plant.parent)
    if form == "uri":  # one that its owner would let write
        where = str(plant).replace("%", "%25")
        monkeypatch.setenv(VARIABLE, f"sqlite:///file:{where}?mode=rwc&uri=true")
    assert len(read(ROWS)) == 1

    with pytest.raises((ConfigError, DataError)) as caught:
        read(attack)

    assert len(str(caught.value)) < 400


@pytest.mark.usefixtures("plant")
def test_a_query_of_sqlite_without_end_is_ended_at_its_limit():
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT max(i) FROM n WHERE :start < :end"
    )

    with pytest.raises(OutageError, match=r"longer than source\.time_limit"):
        read(query, time_limit="1s")


def test_a_file_of_sqlite_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path / 'none.db'}")

    with pytest.raises(OutageError, match="unable to open"):
        read(ROWS)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_program_is_writing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "plant.db"
    monkeypatch.setenv(VARIABLE, f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE rows (timestamp, pump, flow, pressure, angle)")
        writer.execute(f"INSERT INTO rows VALUES ('{FIRST_DAY} 00:00:00', 'P1', 1, 2, 3)")  # noqa: S608 - made of constants
        writer.commit()
        writer.execute("DELETE FROM rows")

        assert len(read(ROWS)) == 1


# Databases that are not at hand: what is sent, as their manuals say it.


class Recorded:
    """A connection that records its statements."""

    def __init__(self, answer: list[tuple[str, str]] | None = None, **dialect: bool):
        self.sent: list[str] = []
        self.dialect = SimpleNamespace(**dialect)
        self.connection = SimpleNamespace(driver_connection=SimpleNamespace())
        self._answer = answer or []

    def exec_driver_sql(self, statement: str) -> None:
        self.sent.append(statement)

    def execute(self, statement: object) -> list[tuple[str, str]]:
        assert "user_privileges" in str(statement)
        return self._answer


LIMIT = timedelta(seconds=90)


@pytest.mark.parametrize(
    ("is_mariadb", "limit"),
    [(False, "max_execution_time = 90000"), (True, "max_statement_time = 90.000")],
)
def test_mysql_reads_only_and_for_a_limited_time(*, is_mariadb: bool, limit: str):
    connection = Recorded(is_mariadb=is_mariadb)

    DATABASES["mysql"].confined(connection, LIMIT, VARIABLE)

    assert connection.sent == [f"SET SESSION {limit}", "START TRANSACTION READ ONLY"]


def test_an_account_of_mysql_that_may_write_files_is_refused():
    connection = Recorded([("root@%", "FILE")])

    with pytest.raises(
        ConfigError, match=r"root@% in PLIMSOLL_SOURCE_PLANT has the privilege FILE"
    ):
        DATABASES["mysql"].confined(connection, LIMIT, VARIABLE)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql+mysqldb://h/d", {"multi_statements": False, "local_infile": 0}),
        ("mariadb+mysqlconnector://h/d", {"allow_local_infile": False}),
        ("mysql+pymysql://h/d", {}),
    ],
)
def test_drivers_of_mysql_accept_one_statement(url: str, expected: dict[str, Any]):
    assert DATABASES["mysql"].opened(sqlalchemy.make_url(url))[1] == expected


def test_oracle_and_sql_server_get_the_limits_they_have():
    oracle, sqlserver = Recorded(), Recorded()

    DATABASES["oracle"].confined(oracle, LIMIT, VARIABLE)
    DATABASES["mssql"].confined(sqlserver, LIMIT, VARIABLE)

    assert oracle.sent == ["SET TRANSACTION READ ONLY"]
    assert oracle.connection.driver_connection.call_timeout == 90_000
    assert sqlserver.sent == []
    assert sqlserver.connection.driver_connection.timeout == 90
