"""The restriction of each kind of database to reading: one file for each kind.

A query comes out of a detector file, and that is data: it must neither write, nor reach another
account, nor run for ever. To add a kind: a file here and an entry in DATABASES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import URL, Connection

from pipeline.data.sources.databases import mysql, oracle, postgresql, sqlite, sqlserver


def _as_given(url: URL) -> tuple[URL, dict[str, Any]]:
    return url, {}


def _as_it_is(connection: Connection, _limit: timedelta, _variable: str) -> Connection:
    return connection


@dataclass(frozen=True)
class Database:
    """How queries to one kind of database are restricted.

    Attributes:
        confined: given a fresh connection, the limit of time and the variable that holds the URL,
            restricts it to reading, or raises ConfigError where it cannot.
        opened: the URL by which it is opened, and further arguments for its driver.
    """

    confined: Callable[[Connection, timedelta, str], Connection]
    opened: Callable[[URL], tuple[URL, dict[str, Any]]] = _as_given


DATABASES: Mapping[str, Database] = {
    "postgresql": Database(postgresql.confined, postgresql.opened),
    "sqlite": Database(sqlite.confined, sqlite.opened),
    "mysql": Database(mysql.confined, mysql.opened),
    "mariadb": Database(mysql.confined, mysql.opened),
    "oracle": Database(oracle.confined),
    "mssql": Database(sqlserver.confined),
}
"""SQLAlchemy's name of a backend -> its restriction."""

UNKNOWN = Database(_as_it_is)
"""An unknown kind: only the rights of the account restrict it."""
