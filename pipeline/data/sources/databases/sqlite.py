"""SQLite: the file opened for reading, and a query that may only select.

Its driver accepts one statement at a time, cannot load extensions unless they are enabled, and
asks our authorizer before each action of a statement.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection

_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_FUNCTION,
    }
)
_REFUSED_FUNCTIONS = frozenset({"load_extension", "writefile", "readfile", "edit"})
_STEPS = 10_000
"""Steps of SQLite's virtual machine between two looks at the clock."""


def opened(url: URL) -> tuple[URL, dict[str, Any]]:
    """The file, which must be there, opened for reading only."""
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:"):
        return url, {}
    path = quote(str(Path(name).absolute()))
    return url.set(database=f"file:{path}").update_query_dict({"mode": "ro", "uri": "true"}), {}


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:  # noqa: ARG001 - one signature for every database
    """The connection restricted to SELECT, and stopped after `limit`."""
    driver: Any = connection.connection.driver_connection
    ends = time.monotonic() + limit.total_seconds()
    driver.execute("PRAGMA query_only = ON")
    driver.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
    driver.set_authorizer(_verdict)
    return connection


def _verdict(
    action: int, _first: str | None, second: str | None, _schema: str | None, _view: str | None
) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
