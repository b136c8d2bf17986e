"""The head of each ledger, kept outside its table: in Postgres, and as a tag of the live version.

A process that can write the lake cannot write it, where Postgres has a role of its own for it
(`deploy/postgres/init.sh`). It is signed, so a process that can write it cannot forge it.

    ledger.heads(detector, length, hash, key, signature)     one row a detector
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from pipeline import database
from pipeline.errors import OutageError
from pipeline.ledger.entries import Head
from pipeline.ledger.keys import PrivateKey, PublicKey, Signature, verifies

_READERS = ("plimsoll", "plimsoll_reader")
_CREATION_LOCK = 7_044_506_133  # of two sessions that create a table at once one fails
_READY = "SELECT to_regclass('ledger.heads') IS NOT NULL"
_CREATE = """
DO $$ BEGIN
  -- IF NOT EXISTS would ask for a right that a role with nothing but this schema does not have.
  IF to_regnamespace('ledger') IS NULL THEN CREATE SCHEMA ledger; END IF;
END $$;
CREATE TABLE IF NOT EXISTS ledger.heads (
  detector text PRIMARY KEY, length bigint NOT NULL, hash text NOT NULL,
  key text NOT NULL, signature text NOT NULL);
"""
_GRANT = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
    GRANT USAGE ON SCHEMA ledger TO {role};
    GRANT SELECT ON ledger.heads TO {role};
  END IF;
END $$;
"""
_KEEP = """
INSERT INTO ledger.heads AS held (detector, length, hash, key, signature)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (detector) DO UPDATE
SET length = EXCLUDED.length, hash = EXCLUDED.hash, key = EXCLUDED.key,
    signature = EXCLUDED.signature
"""
_ONLY_LONGER = "WHERE held.length < EXCLUDED.length"


def kept(url: str, detector: str, trusted: tuple[PublicKey, ...]) -> Head | None:
    """The head in Postgres; None: none was kept there yet.

    Raises:
        OutageError: Postgres does not answer.
        ValueError: a head that no trusted key has signed; the message says so.
    """
    with _session(url) as cursor:
        cursor.execute(_READY)
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(
            "SELECT length, hash, key, signature FROM ledger.heads WHERE detector = %s", (detector,)
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return checked(detector, Head(int(row[0]), row[1]), Signature(row[2], row[3]), trusted)


def keep(url: str, detector: str, head: Head, key: PrivateKey, *, shorter: bool = False) -> None:
    """Keep `head` in Postgres, unless a longer one is kept there; with `shorter` in any case.

    Raises:
        OutageError: Postgres does not answer, or does not let this role write it.
    """
    signature = signed(detector, head, key)
    with _session(url) as cursor:
        cursor.execute(_READY)
        if not cursor.fetchone()[0]:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATION_LOCK,))
            cursor.execute(_CREATE)
            for role in _READERS:
                cursor.execute(_GRANT.format(role=role))
        cursor.execute(
            _KEEP if shorter else _KEEP + _ONLY_LONGER,
            (detector, head.length, head.hash, signature.key, signature.value),
        )


def signed(detector: str, head: Head, key: PrivateKey) -> Signature:
    """The signature that proves a kept head."""
    return key.sign(_content(detector, head))


def as_text(detector: str, head: Head, key: PrivateKey) -> str:
    """A head as the value of a tag."""
    signature = signed(detector, head, key)
    return f"{head.length} {head.hash} {signature.key} {signature.value}"


def from_text(detector: str, text: str, trusted: tuple[PublicKey, ...]) -> Head:
    """Inverse of `as_text`.

    Raises:
        ValueError: a head that no trusted key has signed; the message says so.
    """
    words = text.split()
    if len(words) != 4 or not words[0].isdecimal():  # noqa: PLR2004 - as many as as_text writes
        msg = f"a kept head reads {text[:80]!r}, which is no head"
        raise ValueError(msg)
    return checked(detector, Head(int(words[0]), words[1]), Signature(words[2], words[3]), trusted)


def checked(
    detector: str, head: Head, signature: Signature, trusted: tuple[PublicKey, ...]
) -> Head:
    """`head`, if a trusted key has signed it.

    Raises:
        ValueError: none has.
    """
    if not verifies(_content(detector, head), signature, trusted):
        msg = f"a kept head of length {head.length} is signed by no key that is trusted here"
        raise ValueError(msg)
    return head


def _content(detector: str, head: Head) -> bytes:
    return f"plimsoll head {detector} {head.length} {head.hash}".encode()


@contextmanager
def _session(url: str) -> Iterator[Any]:
    """A cursor in one transaction; errors of the driver become an OutageError."""
    # The owner of the database may set a search path for everybody; it must not count here.
    connection = database.connected(url, options="-c search_path=pg_catalog,pg_temp")
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        msg = f"The head of the ledger in Postgres cannot be used ({database.said(error, url)})."
        raise OutageError(msg) from None
    finally:
        connection.close()
