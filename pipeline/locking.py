"""One promotion at a time, because in MLflow the last writer of an alias wins.

With a Postgres DSN the lock is an advisory lock, good across machines and freed by the server when
its holder dies. Without one it is a lock on a local file, good on one host.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg2
from filelock import Timeout

from pipeline import database
from pipeline.errors import OutageError
from pipeline.file_lock import file_lock
from pipeline.settings import Deployment

WAIT_S = 60.0
_POLL_S = 0.1


@contextmanager
def promotion_lock(
    settings: Deployment, detector: str, *, wait_s: float = WAIT_S
) -> Iterator[None]:
    """Hold the lock for the aliases of `detector`.

    Raises:
        ConfigError: PLIMSOLL_DATABASE holds no Postgres URL.
        OutageError: another process held it for longer than `wait_s` seconds, or Postgres does not
            answer.
    """
    holder = (
        _postgres_lock(settings.database, detector, wait_s)
        if settings.database
        else _local_lock(settings, detector, wait_s)
    )
    with holder:
        yield


@contextmanager
def _postgres_lock(dsn: str, detector: str, wait_s: float) -> Iterator[None]:

    connection = database.connected(dsn)
    try:
        try:
            with connection.cursor() as cursor:
                deadline = time.monotonic() + wait_s
                while not _advisory_lock_acquired(cursor, detector):
                    if time.monotonic() > deadline:
                        raise _held_too_long(detector, wait_s)
                    time.sleep(_POLL_S)
        except psycopg2.Error as error:
            msg = f"No promotion lock: Postgres broke off ({database.said(error, dsn)}); retry."
            raise OutageError(msg) from None
        yield
    finally:
        connection.close()


def _advisory_lock_acquired(cursor: object, detector: str) -> bool:
    key = int.from_bytes(hashlib.sha256(f"promote:{detector}".encode()).digest()[:8], signed=True)
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (key,))  # type: ignore[attr-defined]  # psycopg2 ships no types
    return bool(cursor.fetchone()[0])  # type: ignore[attr-defined]  # psycopg2 ships no types


def _local_lock(
    settings: Deployment, detector: str, wait_s: float
) -> AbstractContextManager[object]:
    path = settings.cache / f"promote-{detector}.lock"
    try:
        return file_lock(path, wait_s=wait_s).acquire()
    except Timeout:
        raise _held_too_long(detector, wait_s) from None


def _held_too_long(detector: str, wait_s: float) -> OutageError:
    return OutageError(
        f"Another promotion of {detector} has held the lock for more than {wait_s:.0f} s; "
        "retry when it is done, or end the process that holds it."
    )
