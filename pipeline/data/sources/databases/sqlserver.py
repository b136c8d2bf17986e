"""SQL Server: a limit of time. It has no read-only transaction; the account alone decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:  # noqa: ARG001
    """With a limit of time, by pyodbc's name for it."""
    driver: Any = connection.connection.driver_connection
    driver.timeout = round(limit.total_seconds())
    return connection
