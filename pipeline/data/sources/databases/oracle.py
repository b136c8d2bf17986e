"""Oracle: a transaction that only reads; its driver takes one statement, and has a time limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:  # noqa: ARG001
    """In a transaction that only reads, with a limit of time."""
    driver: Any = connection.connection.driver_connection
    driver.call_timeout = round(limit.total_seconds() * 1000)
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    return connection
