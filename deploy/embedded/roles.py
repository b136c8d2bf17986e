"""The roles of the embedded PostgreSQL, the same as in deploy/postgres/init.sh of the full stack.

Airflow, MLflow and Plimsoll's tasks each log in as a plain role that owns the database of its name
and can enter no other. A cluster of an older release, in which everything belongs to the superuser
`plimsoll`, is converted by the next start; so is a restored older backup.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from deploy.embedded.errors import StackError
from deploy.embedded.stack import ADMINISTRATOR, DATABASES, Stack

LEDGER = "ledger"
"""The schema of the database `plimsoll` in which the head of the ledger is kept."""

_OLD_ADMINISTRATOR = "plimsoll"
_MAINTENANCE = "postgres"
_REFUSED = "password authentication failed"

# Indexes, serial sequences, row types and array types change their owner with the table.
_FOREIGN_OBJECTS = """
WITH own AS (SELECT oid FROM pg_roles WHERE rolname = ANY(%(owners)s)),
foreign_ones AS (
    SELECT 'pg_class'::regclass AS catalog, c.oid, c.relowner AS owner,
        CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
            WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind,
        format('%%I.%%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND c.relkind = 'S' AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, t.typowner, 'TYPE', format('%%I.%%I', n.nspname, t.typname)
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, p.proowner, 'ROUTINE', p.oid::regprocedure::text
    FROM pg_proc p
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, n.nspowner, 'SCHEMA', format('%%I', n.nspname)
    FROM pg_namespace n
)
SELECT format('ALTER %%s %%s OWNER TO %%I', kind, name, %(role)s)
FROM foreign_ones f
WHERE oid >= 16384 AND owner IN (SELECT oid FROM own) AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = f.catalog AND d.objid = f.oid AND d.deptype = 'e')
"""
"""Statements that give a role the objects of others; those of an extension stay with it."""


def server_unready(stack: Stack) -> str | None:
    """None once the server accepts the administrator's login, else its message."""
    try:
        administrator_of(stack)
    except psycopg2.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    return None


def administrator_of(stack: Stack) -> str:
    """The name of the superuser: `plimsoll` in a cluster that this release has not started yet.

    Raises:
        psycopg2.OperationalError: the server refuses both, or does not answer.
    """
    try:
        _connect(stack, ADMINISTRATOR).close()
    except psycopg2.OperationalError as error:
        if _REFUSED not in str(error):
            raise
        _connect(stack, _OLD_ADMINISTRATOR).close()
        return _OLD_ADMINISTRATOR
    return ADMINISTRATOR


def apply_roles(stack: Stack) -> None:
    """Create absent roles and databases, and give each role its own objects.

    Raises:
        StackError: a role of the administrator's name is in the way.
    """
    if administrator_of(stack) == _OLD_ADMINISTRATOR:
        _rename_administrator(stack)
    with closing(_connect(stack, ADMINISTRATOR)) as connection:
        for role in DATABASES:
            _apply_role(connection, role, stack.secrets.role_passwords[role])
            _apply_database(connection, role)
        for name in _column(connection, "SELECT datname FROM pg_database"):
            _do(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    for role in DATABASES:
        with closing(_connect(stack, ADMINISTRATOR, role)) as connection:
            _hand_over(connection, role)
            if role == "plimsoll":
                _do(connection, "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}", LEDGER, role)


def _rename_administrator(stack: Stack) -> None:
    """Give the superuser `plimsoll` of an old cluster the name that leaves `plimsoll` free.

    PostgreSQL's initial superuser cannot lose its rights, and no superuser can rename itself; so a
    temporary one does it, in one transaction.
    """
    with closing(_connect(stack, _OLD_ADMINISTRATOR)) as connection:
        if ADMINISTRATOR in _column(connection, "SELECT rolname FROM pg_roles"):
            raise StackError(
                f"The databases of the stack in {stack.layout.home} belong to the superuser "
                f"{_OLD_ADMINISTRATOR!r}, which is to be called {ADMINISTRATOR!r} from now on, and "
                f"there is a role of that name. Rename that one: as {_OLD_ADMINISTRATOR}, "
                f"ALTER ROLE {ADMINISTRATOR} RENAME TO another_name"
            )
        connection.autocommit = False
        with connection:
            _do(connection, "CREATE ROLE {} SUPERUSER NOLOGIN", "plimsoll_upgrade")
            _do(connection, "SET LOCAL SESSION AUTHORIZATION {}", "plimsoll_upgrade")
            _do(connection, "ALTER ROLE {} RENAME TO {}", _OLD_ADMINISTRATOR, ADMINISTRATOR)
            _do(connection, "RESET SESSION AUTHORIZATION")
            _do(connection, "DROP ROLE {}", "plimsoll_upgrade")


def _apply_role(connection: Any, role: str, password: str) -> None:
    if role not in _column(connection, "SELECT rolname FROM pg_roles"):
        _do(connection, "CREATE ROLE {}", role)
    # The server gets a verifier, so that the password can reach no log.
    verifier = encrypt_password(password, role, connection, "scram-sha-256")
    plain = "ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    _do(connection, f"{plain} PASSWORD %s", role, values=(verifier,))


def _apply_database(connection: Any, role: str) -> None:
    if role not in _column(connection, "SELECT datname FROM pg_database"):
        _do(connection, "CREATE DATABASE {} OWNER {}", role, role)
    _do(connection, "ALTER DATABASE {} OWNER TO {}", role, role)


def _hand_over(connection: Any, role: str) -> None:
    """Give `role` what the administrator or another of our roles owns in this database."""
    owners = [name for name in (ADMINISTRATOR, *DATABASES) if name != role]
    for statement in _column(connection, _FOREIGN_OBJECTS, {"owners": owners, "role": role}):
        _do(connection, statement.replace("{", "{{").replace("}", "}}"))


def _connect(stack: Stack, administrator: str, database: str = _MAINTENANCE) -> Any:
    url = stack.administrator_dsn(database, role=administrator)
    connection = psycopg2.connect(url, connect_timeout=10)
    connection.autocommit = True  # CREATE DATABASE is refused inside a transaction
    return connection


def _do(connection: Any, statement: str, *names: str, values: tuple[str, ...] = ()) -> None:
    with connection.cursor() as cursor:
        placed = sql.SQL(statement).format(*map(sql.Identifier, names))
        cursor.execute(placed, values or None)


def _column(connection: Any, query: str, values: dict[str, Any] | None = None) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [value for (value,) in cursor.fetchall()]
