"""Oracle: a read-only transaction; its driver accepts one statement, and has a time limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:  # noqa: ARG001 - one signature for every database
    """The connection in a read-only transaction, with a time limit."""
    driver: Any = connection.connection.driver_connection
    driver.call_timeout = round(limit.total_seconds() * 1000)
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    return connection
