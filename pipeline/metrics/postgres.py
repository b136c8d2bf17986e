"""Readings and costs in Postgres: written by tasks, read by the exporter.

Two tables, created by the first writer and readable by the role `plimsoll_reader` if it exists::

    readings(detector, topic, day, recorded_at, content jsonb)   one row a day, 400 days of a topic
    cost(detector, dag, cpu_seconds, tasks)                      sums since the beginning

A connection lives for one call: scrapes come every 15 s, tasks once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg2
from psycopg2.errors import UndefinedTable
from psycopg2.extras import execute_values
from pydantic import ValidationError

from pipeline import database
from pipeline.errors import OutageError
from pipeline.metrics.readings import Reading, as_json, content_of

READER = "plimsoll_reader"
KEPT_DAYS = 400
"""Days of a topic that are kept before its newest: a year to compare with, and a month."""

_PATIENCE_S = 5
_PAGE = 1000

# Of two sessions that create a table at the same time one fails, IF NOT EXISTS or not; so they
# queue up for this lock, which the end of the transaction frees.
_CREATION_LOCK = 7_044_506_132
_READY = f"""
SELECT to_regclass('readings') IS NOT NULL AND to_regclass('cost') IS NOT NULL AND NOT EXISTS (
  SELECT FROM pg_roles WHERE rolname = '{READER}' AND NOT (
    has_table_privilege(rolname, to_regclass('readings'), 'SELECT')
    AND has_table_privilege(rolname, to_regclass('cost'), 'SELECT')))
"""  # noqa: S608 - made of constants
_CREATE = f"""
CREATE TABLE IF NOT EXISTS readings (
  detector text NOT NULL, topic text NOT NULL, day date NOT NULL,
  recorded_at timestamptz NOT NULL, content jsonb NOT NULL,
  PRIMARY KEY (detector, topic, day));
CREATE TABLE IF NOT EXISTS cost (
  detector text NOT NULL, dag text NOT NULL,
  cpu_seconds double precision NOT NULL, tasks bigint NOT NULL,
  PRIMARY KEY (detector, dag));
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') THEN
    GRANT SELECT ON readings, cost TO {READER};
  END IF;
END $$;
"""
# A withdrawn reading stays until it is overwritten, so that a late writer finds its time.
_UPSERT = """
INSERT INTO readings (detector, topic, day, recorded_at, content) VALUES %s
ON CONFLICT (detector, topic, day) DO UPDATE
SET recorded_at = EXCLUDED.recorded_at, content = EXCLUDED.content
WHERE readings.recorded_at <= EXCLUDED.recorded_at
"""
_FORGET = """
DELETE FROM readings WHERE (detector, topic) = (%(detector)s, %(topic)s) AND day < %(kept)s +
  (SELECT max(day) FROM readings WHERE (detector, topic) = (%(detector)s, %(topic)s))
"""
_SPEND = """
INSERT INTO cost AS held (detector, dag, cpu_seconds, tasks) VALUES (%s, %s, %s, 1)
ON CONFLICT (detector, dag) DO UPDATE
SET cpu_seconds = held.cpu_seconds + EXCLUDED.cpu_seconds, tasks = held.tasks + 1
"""
# Walks from one (detector, topic) to the next along the primary key and takes the newest day of
# each: the cost does not grow with the history. (DISTINCT ON would read all of it.)
_NEWEST = """
WITH RECURSIVE topics AS (
  (SELECT detector, topic FROM readings ORDER BY detector, topic LIMIT 1)
  UNION ALL
  SELECT following.* FROM topics, LATERAL (
    SELECT detector, topic FROM readings
    WHERE (detector, topic) > (topics.detector, topics.topic)
    ORDER BY detector, topic LIMIT 1) AS following)
SELECT newest.* FROM topics, LATERAL (
  SELECT detector, topic, day, recorded_at, content FROM readings
  WHERE detector = topics.detector AND topic = topics.topic AND content <> 'null'
  ORDER BY day DESC LIMIT 1) AS newest
"""


@dataclass(frozen=True)
class Cost:
    """The cost of the tasks of one DAG since the beginning, `dag` without the detector's name.

    Attributes:
        detector: its name.
        dag: ingest, score, train, ...
        cpu_seconds: processor time of their processes, children included.
        tasks: attempts at tasks that ended, successful or not.
    """

    detector: str
    dag: str
    cpu_seconds: float
    tasks: int


@dataclass(frozen=True)
class Newest:
    """The content of a scrape: the newest day of each detector and topic, and all costs."""

    readings: tuple[Reading, ...]
    costs: tuple[Cost, ...]


def record(dsn: str, readings: Sequence[Reading]) -> None:
    """Keep `readings`, all or none; a reading of the same day and topic is replaced if it is older.

    Doing it again changes nothing, in whatever order days come.

    Raises:
        OutageError: the store does not answer; nothing was kept.
    """
    if not readings:
        return

    # One order for all writers: transactions that lock the same rows cannot deadlock.
    ordered = sorted(readings, key=lambda each: (each.detector, each.topic, each.day))
    rows = {
        (each.detector, each.topic, each.day): (
            *(each.detector, each.topic, each.day, each.recorded_at, as_json(each)),
        )
        for each in ordered
    }
    with _session(dsn) as cursor:
        _make_ready(cursor)
        execute_values(cursor, _UPSERT, list(rows.values()), page_size=_PAGE)
        for detector, topic in dict.fromkeys((each.detector, each.topic) for each in ordered):
            about = {"detector": detector, "topic": topic, "kept": -KEPT_DAYS}
            cursor.execute(_FORGET, about)


def spend(dsn: str, detector: str, dag: str, cpu_seconds: float) -> None:
    """Add one task's processor time to the sum of its DAG.

    Raises:
        OutageError: the store does not answer; nothing was added.
    """
    with _session(dsn) as cursor:
        _make_ready(cursor)
        cursor.execute(_SPEND, (detector, dag, cpu_seconds))


def forget(dsn: str, detector: str) -> None:
    """Delete everything about `detector`: otherwise it would be exported, and alerted on, for ever.

    Raises:
        OutageError: the store does not answer; nothing was dropped.
    """
    with _session(dsn) as cursor:
        _make_ready(cursor)
        cursor.execute("DELETE FROM readings WHERE detector = %s", (detector,))
        cursor.execute("DELETE FROM cost WHERE detector = %s", (detector,))


def newest(dsn: str) -> Newest:
    """The newest reading of each detector and topic, and the costs; empty before the first write.

    The role `plimsoll_reader` may do this.

    Raises:
        OutageError: the store does not answer.
    """
    try:
        with _session(dsn) as cursor:
            cursor.execute(_NEWEST)
            found = [_reading(*row) for row in cursor.fetchall()]
            cursor.execute("SELECT detector, dag, cpu_seconds, tasks FROM cost ORDER BY 1, 2")
            costs = tuple(Cost(*row) for row in cursor.fetchall())
    except OutageError as error:
        if isinstance(error.__cause__, UndefinedTable):
            return Newest((), ())
        raise
    return Newest(tuple(each for each in found if each is not None), costs)


def refuse_silence(dsn: str) -> None:
    """Refuse a store that does not answer a query.

    Raises:
        OutageError: it does not.
    """
    with _session(dsn) as cursor:
        cursor.execute("SELECT 1")


def _make_ready(cursor: Any) -> None:
    """Create what is absent, and let the reader read."""
    cursor.execute(_READY)
    if not cursor.fetchone()[0]:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATION_LOCK,))
        cursor.execute(_CREATE)


def _reading(detector: str, topic: Any, day: date, at: Any, plain: Any) -> Reading | None:
    """A row as a record; None: another release wrote it, and will be overwritten."""
    try:
        return Reading(detector, topic, day, at, content_of(topic, plain))
    except (KeyError, ValidationError):
        return None


@contextmanager
def _session(dsn: str) -> Iterator[Any]:
    """One transaction; any error of Postgres is an outage."""
    try:
        connection = database.connected(
            dsn,
            connect_timeout=_PATIENCE_S,
            options=f"-c statement_timeout={_PATIENCE_S}s",
            application_name="plimsoll-metrics",
        )
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()
    except psycopg2.Error as error:
        reason = database.said(error, dsn)
        msg = f"The metrics database at PLIMSOLL_DATABASE does not answer ({reason})."
        raise OutageError(msg) from error
