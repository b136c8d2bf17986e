"""MySQL and MariaDB: one statement, in a transaction that only reads, by an account without FILE.

`SELECT ... INTO OUTFILE` writes a file of the server in a read-only transaction too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection

from pipeline.errors import ConfigError

_ONE_STATEMENT: dict[str, dict[str, Any]] = {
    "mysqldb": {"multi_statements": False, "local_infile": 0},
    "mysqlconnector": {"allow_local_infile": False},
}
"""Settings that drivers need; the others send one statement and no local file by default."""

_DANGERS = sqlalchemy.text(
    "SELECT CURRENT_USER(), privilege_type FROM information_schema.user_privileges "
    "WHERE grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') "
    "AND privilege_type IN ('FILE', 'SUPER') ORDER BY 2"
)


def opened(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL and the arguments by which the driver accepts one statement only."""
    return url, dict(_ONE_STATEMENT.get(url.get_driver_name(), {}))


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:
    """The connection in a read-only transaction, with a time limit.

    Raises:
        ConfigError: the account may write files of the server, or administer it.
    """
    for account, privilege in connection.execute(_DANGERS):
        msg = (
            f"The account {account} in {variable} has the privilege {privilege}, which reaches "
            "files of the database's server; a read-only transaction does not stop that. Make "
            "one that can only read, and put it into the URL: CREATE USER plimsoll_source "
            "IDENTIFIED BY '...'; GRANT SELECT ON plant.* TO plimsoll_source;"
        )
        raise ConfigError(msg)
    seconds = limit.total_seconds()
    limiting = (
        f"SET SESSION max_statement_time = {seconds:.3f}"
        if getattr(connection.dialect, "is_mariadb", False)
        else f"SET SESSION max_execution_time = {seconds * 1000:.0f}"
    )
    for statement in (limiting, "START TRANSACTION READ ONLY"):
        connection.exec_driver_sql(statement)
    return connection
