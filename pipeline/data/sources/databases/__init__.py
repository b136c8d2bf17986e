"""How each kind of database is kept from doing more than read: one file a kind.

A query comes out of a detector file, and that is data: it must neither write, nor reach another
account, nor run for ever. To add a kind: a file here and a line in DATABASES.
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
    """What is done about one kind of database.

    Attributes:
        confined: given a fresh connection, the limit of time and the variable that holds the URL,
            keeps what is asked on it to reading, or raises ConfigError where it cannot.
        opened: the URL by which it is opened, and what its driver is told beside it.
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
"""SQLAlchemy's name of a backend -> what is done about it."""

UNKNOWN = Database(_as_it_is)
"""A kind that nothing is known of: there, the account alone decides."""
