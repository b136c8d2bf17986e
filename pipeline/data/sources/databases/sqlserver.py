"""SQL Server: a time limit. It has no read-only transaction; only the account restricts it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:  # noqa: ARG001 - one signature for every database
    """The connection with pyodbc's time limit."""
    driver: Any = connection.connection.driver_connection
    driver.timeout = round(limit.total_seconds())
    return connection
