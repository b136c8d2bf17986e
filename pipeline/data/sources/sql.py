"""Source `sql`: a bounded query against any database that SQLAlchemy reaches.

The query comes out of a detector file, which is data. `databases` restricts it to reading, as
far as each kind of database can; nothing that it did is committed.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import sqlalchemy
from sqlalchemy.exc import (
    DBAPIError,
    OperationalError,
    ResourceClosedError,
    SQLAlchemyError,
)

from pipeline import settings
from pipeline.config import Columns, SqlSource, database_source
from pipeline.data.sources.databases import DATABASES, UNKNOWN
from pipeline.data.sources.shaping import SourceRows, nothing, shaped, wanted
from pipeline.errors import ConfigError, DataError, OutageError, PlimsollError

_BOUND = frozenset({"start", "end"})
_HOST = re.compile(r"[\w.:\-\[\]]*")
_OUTAGES = ("08", "53", "57", "40", "55P03")
"""SQLSTATEs of a connection lost, too few resources, a shutdown, a deadlock, a lock not had."""
_CANCELLED = "57014"
_TOO_LONG = (
    *("interrupted", "max_statement_time", "maximum statement execution time"),
    *("DPY-4024", "DPI-1067", "HYT00"),
)
"""The words of SQLite, MariaDB, MySQL, Oracle and SQL Server for a query at its time limit."""
_SQLITE_OUTAGES = ("locked", "busy", "disk i/o", "unable to open")


def fetch(
    config: SqlSource,
    columns: Columns,
    start: datetime,
    end: datetime,
    cache: Path,  # noqa: ARG001 - part of the Source protocol
) -> pd.DataFrame:
    """The rows of [`start`, `end`); see `Source`.

    `:start` and `:end` are bound as local times of `source.timezone` without an offset. On
    PostgreSQL the session takes the same zone, so that they compare with both kinds of timestamp.

    Raises:
        ConfigError: the variable with the URL is not one for sources, not set, or holds no URL; the
            query has other parameters than the two; the role may do more than read.
    """
    url = _url(config)
    query = _query(config)
    zone = ZoneInfo(config.timezone)
    bounds = {
        name: moment.astimezone(zone).replace(tzinfo=None)
        for name, moment in [("start", start), ("end", end)]
    }
    database = DATABASES.get(url.get_backend_name(), UNKNOWN)
    engine = _engine(*database.opened(url), config)
    try:
        with engine.connect() as fresh:
            connection = database.confined(fresh, config.time_limit, config.url_env)
            if engine.dialect.name == "postgresql":
                connection.execute(
                    sqlalchemy.text("SELECT set_config('TimeZone', :zone, false)"),
                    {"zone": config.timezone},
                )
            result = connection.execute(query, bounds)
            header = tuple(result.keys())
            # As objects: pandas would make 1.0 of a whole number where one is absent.
            rows = pd.DataFrame(result.fetchall(), columns=list(header), dtype=object)
    except ResourceClosedError as error:
        msg = "source.query returns no rows: it is no SELECT; write `SELECT ... FROM ... WHERE`."
        raise DataError(msg) from error
    except SQLAlchemyError as error:
        raise _as_our_error(error, url, config) from error
    finally:
        engine.dispose()
    names = wanted(columns, config.rename, header, "The answer to source.query")
    rows = rows[list(names)].rename(columns=names)
    answer = SourceRows(rows, "The answer to source.query")
    return shaped([answer], columns, config.timezone, start, end) if len(rows) else nothing(columns)


def _query(config: SqlSource) -> sqlalchemy.TextClause:
    if why := database_source.why_not_the_query(config.query):
        msg = f"source.query {why}."
        raise ConfigError(msg)
    query = sqlalchemy.text(config.query)
    bound = set(query.compile().params)
    if strangers := sorted(bound - _BOUND):
        msg = (
            f"source.query has the parameter :{strangers[0]}; only :start and :end are bound: "
            "write its value into the query, and a literal colon as `\\:`."
        )
        raise ConfigError(msg)
    if absent := sorted(_BOUND - bound):
        # Without a bound value, drivers send a text of several statements as it is.
        msg = f"source.query does not bind :{absent[0]}: write it without a backslash before it."
        raise ConfigError(msg)
    return query


def _url(config: SqlSource) -> sqlalchemy.URL:
    if why := database_source.why_not_the_variable(config.url_env):
        msg = f"source.url_env: {why}."
        raise ConfigError(msg)
    text = settings.named(config.url_env)
    form = "dialect+driver://user:password@host/database"
    if not text:
        msg = (
            f"source.url_env names {config.url_env}, which is not set; set it to an SQLAlchemy URL "
            "such as postgresql+psycopg2://user:password@host/database."
        )
        raise ConfigError(msg)
    try:
        url = sqlalchemy.make_url(text)
    except (SQLAlchemyError, ValueError):
        # Neither the text nor what the library says of it: both may hold the password.
        msg = f"{config.url_env} holds no URL that SQLAlchemy can use; write {form}."
        raise ConfigError(msg) from None
    if not _HOST.fullmatch(url.host or ""):
        msg = (
            f"{config.url_env} holds a URL whose host is no host name; write {form}, with @ : / in "
            "the password as %40 %3A %2F."
        )
        raise ConfigError(msg)
    return url


def _engine(url: sqlalchemy.URL, arguments: dict[str, Any], config: SqlSource) -> sqlalchemy.Engine:
    try:
        return sqlalchemy.create_engine(url, connect_args=arguments)
    except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        msg = (
            f"{config.url_env} holds no URL that SQLAlchemy can use ({type(error).__name__}); "
            "write dialect+driver://user:password@host/database and install that driver."
        )
        raise ConfigError(msg) from None


def _as_our_error(error: SQLAlchemyError, url: sqlalchemy.URL, config: SqlSource) -> PlimsollError:
    """Our error for what the database said, without the password; an outage if a retry may help."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    if url.password:
        said = re.sub(rf"(?<!\w){re.escape(str(url.password))}(?!\w)", "***", said)
    if _ran_too_long(error):
        msg = (
            f"source.query took longer than source.time_limit ({config.time_limit}) and was ended; "
            "narrow it (an index on the time column, fewer joins), or raise source.time_limit."
        )
        return OutageError(msg)
    if isinstance(error, DBAPIError) and _is_outage(error, url):
        msg = f"The database in {config.url_env} did not answer the query ({said}); check that "
        return OutageError(msg + "it runs and may be read, then retry.")
    msg = f"The database refused source.query ({said}); correct the query, or create what it "
    return DataError(msg + "asks for.")


def _ran_too_long(error: SQLAlchemyError) -> bool:
    original: Any = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    return state == _CANCELLED or (not state and any(words in str(original) for words in _TOO_LONG))


def _is_outage(error: DBAPIError, url: sqlalchemy.URL) -> bool:
    if error.connection_invalidated:
        return True
    original: Any = error.orig
    state = getattr(original, "sqlstate", None)
    if state:
        return str(state).startswith(_OUTAGES)
    if url.get_backend_name() == "sqlite":
        return any(word in str(original).lower() for word in _SQLITE_OUTAGES)
    return isinstance(error, OperationalError)
