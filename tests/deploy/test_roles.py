"""The roles of the embedded PostgreSQL, in a new cluster and in one of an older release."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from psycopg2 import errors

from deploy.backup import __main__ as backups
from deploy.embedded import postgres, roles
from deploy.embedded.errors import StackError
from deploy.embedded.layout import create_folders, find_layout
from deploy.embedded.ports import Ports
from deploy.embedded.stack import (
    ADMINISTRATOR,
    DATABASES,
    Stack,
    completed,
    new_secrets,
    save_stack,
)
from tests.postgres_server import free_port, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

# A little of all that Airflow, MLflow and Plimsoll keep in their databases.
OLD_CONTENT = """
CREATE TYPE "State of it" AS ENUM ('on', 'off');
CREATE DOMAIN share AS double precision CHECK (value BETWEEN 0 AND 1);
CREATE TABLE "Runs" (id serial PRIMARY KEY, state "State of it", part share, note text);
CREATE SEQUENCE alone START 7;
CREATE VIEW seen AS SELECT * FROM "Runs";
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';
CREATE SCHEMA other;
CREATE TABLE other.parts (day date) PARTITION BY RANGE (day);
CREATE TABLE other.parts_2024 PARTITION OF other.parts
    FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO "Runs" (state, part, note) VALUES ('on', 0.5, 'kept');
"""
CAN = """SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
    FROM pg_roles WHERE rolname = %s"""


def stack_at(folder: Path) -> Stack:
    layout = find_layout({"PLIMSOLL_HOME": str(folder)})
    create_folders(layout)
    return Stack(layout, Ports(airflow=1, mlflow=2, postgres=free_port()), new_secrets())


def ask(url: str, query: str, *values: Any) -> list[Any]:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The PostgreSQL of a new stack, its roles made."""
    stack = stack_at(tmp_path_factory.mktemp("new"))
    postgres.initialise_cluster(stack)
    with serving(stack):
        roles.apply_roles(stack)
        yield stack


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A cluster as releases before made it: one superuser `plimsoll`, who owns everything."""
    made = stack_at(tmp_path / "old")
    stack = replace(made, secrets=replace(made.secrets, role_passwords={}))
    with monkeypatch.context() as patch:
        patch.setattr(postgres, "ADMINISTRATOR", "plimsoll")
        postgres.initialise_cluster(stack)
    with serving(stack):
        for database in DATABASES:
            ask(as_plimsoll(stack), f"CREATE DATABASE {database}")
            ask(as_plimsoll(stack, database), OLD_CONTENT)
        yield stack


def as_plimsoll(stack: Stack, database: str = "postgres") -> str:
    return stack.administrator_dsn(database, role="plimsoll")


@pytest.mark.parametrize("role", DATABASES)
def test_a_role_is_plain_and_makes_tables_in_its_own_database(served: Stack, role: str):
    assert ask(served.dsn(role), "SELECT current_user, session_user") == [(role, role)]
    assert ask(served.dsn(role), CAN, role) == [(False,) * 5]
    ask(served.dsn(role), "CREATE TABLE mine (n integer)")


@pytest.mark.parametrize(
    ("role", "database"),
    [(r, d) for r in DATABASES for d in (*DATABASES, "postgres", "template1") if r != d],
)
def test_a_role_cannot_enter_a_database_of_another(served: Stack, role: str, database: str):
    url = served.dsn(role).removesuffix(role) + database

    with pytest.raises(psycopg2.OperationalError, match=f'denied for database "{database}"'):
        psycopg2.connect(url)


@pytest.mark.parametrize("role", DATABASES)
@pytest.mark.parametrize(
    "attack",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/plimsoll-attack'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "GRANT pg_execute_server_program TO CURRENT_USER",
        "CREATE DATABASE another",
        "CREATE ROLE another",
        "ALTER SYSTEM SET archive_command = 'id'",
        "CREATE EXTENSION file_fdw",
    ],
)
def test_a_role_runs_no_program_reads_no_file_and_rises_to_nothing(
    served: Stack, role: str, attack: str
):
    with pytest.raises(errors.InsufficientPrivilege):
        ask(served.dsn(role), attack)


def test_tasks_make_tables_in_the_schema_of_the_ledger_and_no_other_role_sees_it(served: Stack):
    ask(served.dsn("plimsoll"), "CREATE TABLE ledger.heads (n integer)")

    assert ask(served.dsn("plimsoll"), "SELECT * FROM ledger.heads") == []
    schemas = "SELECT FROM pg_namespace WHERE nspname = 'ledger'"
    assert ask(served.dsn("mlflow"), schemas) == []


def test_an_old_cluster_is_upgraded_and_keeps_what_is_in_it(old: Stack):
    assert not old.has_roles
    with pytest.raises(StackError, match=r"older Plimsoll.*`make up`"):
        old.dsn("airflow")
    new = replace(old, secrets=completed(old.secrets))

    assert roles.administrator_of(new) == "plimsoll"
    for _ in range(2):  # the second start finds nothing to do
        roles.apply_roles(new)
    assert roles.administrator_of(new) == ADMINISTRATOR

    for role in DATABASES:
        url = new.dsn(role)
        assert ask(url, 'SELECT id, state, part, note FROM "Runs"') == [(1, "on", 0.5, "kept")]
        assert ask(url, "SELECT nextval('alone'), twice(4)") == [(7, 8)]
        # What only an owner may do, as a migration does it.
        ask(url, 'ALTER TABLE "Runs" ADD more text')
        ask(url, "ALTER TYPE \"State of it\" ADD VALUE 'broken'")
        ask(url, "INSERT INTO \"Runs\" (state, note) VALUES ('off', 'new') RETURNING id")
        ask(
            url,
            "DROP VIEW seen; DROP TABLE other.parts; DROP SCHEMA other; DROP DOMAIN share CASCADE",
        )
        ask(
            url,
            "CREATE OR REPLACE FUNCTION twice(n integer) RETURNS integer "
            "LANGUAGE sql AS 'SELECT n + n'",
        )
        assert ask(url, CAN, role) == [(False,) * 5]
        with pytest.raises(errors.InsufficientPrivilege):
            ask(url, "COPY (SELECT 1) TO PROGRAM 'id'")


def test_the_old_password_opens_nothing_after_the_upgrade(old: Stack):
    new = replace(old, secrets=completed(old.secrets))
    roles.apply_roles(new)

    for database in DATABASES:
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(as_plimsoll(new, database))


def test_a_role_in_the_way_of_the_administrators_name_is_reported_before_anything_changes(
    old: Stack,
):
    ask(as_plimsoll(old), "CREATE ROLE postgres")
    new = replace(old, secrets=completed(old.secrets))

    with pytest.raises(StackError, match="ALTER ROLE postgres RENAME TO"):
        roles.apply_roles(new)

    assert ask(as_plimsoll(old), CAN, "plimsoll") == [(True,) * 5]


def test_what_comes_out_of_an_old_backup_is_handed_to_its_role_by_the_next_start(served: Stack):
    """An old dump makes everything the property of `plimsoll`, who is a plain role by now."""
    admin = served.administrator_dsn("postgres")
    ask(admin, "ALTER DATABASE mlflow OWNER TO plimsoll")
    inside = served.administrator_dsn("mlflow")
    ask(inside, "CREATE TABLE restored (n integer); ALTER TABLE restored OWNER TO plimsoll")

    roles.apply_roles(served)

    assert ask(served.dsn("mlflow"), "ALTER TABLE restored ADD more text; TABLE restored") == []
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'mlflow'"
    assert ask(admin, owner) == [("mlflow",)]


def test_an_old_stack_is_backed_up_and_comes_back_into_its_roles(
    old: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PLIMSOLL_HOME", str(old.layout.home))
    backup = str(tmp_path / "backup")
    save_stack(old)
    assert backups.main(["create", backup, "--embedded"]) == 0
    new = replace(old, secrets=completed(old.secrets))
    save_stack(new)
    roles.apply_roles(new)
    ask(new.dsn("mlflow"), 'DROP TABLE "Runs" CASCADE')

    assert backups.main(["restore", backup, "--embedded", "--replace"]) == 0
    roles.apply_roles(new)  # as the next `up` does

    for role in DATABASES:
        assert ask(new.dsn(role), 'SELECT note FROM "Runs"') == [("kept",)]
        ask(new.dsn(role), 'ALTER TABLE "Runs" ADD more text')
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        assert ask(new.dsn(role), owner) == [(role,)]
    with pytest.raises(psycopg2.OperationalError, match="denied for database"):
        psycopg2.connect(new.dsn("plimsoll").removesuffix("plimsoll") + "mlflow")
