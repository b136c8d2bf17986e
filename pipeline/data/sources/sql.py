"""Source `sql`: a bounded query against any database that SQLAlchemy reaches."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import sqlalchemy
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from pipeline import settings
from pipeline.config import Columns, SqlSource
from pipeline.data.sources.shaping import nothing, shaped
from pipeline.errors import ConfigError, DataError, OutageError


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
        ConfigError: the variable with the URL is not set, or holds no URL.
    """
    engine = _engine(config)
    zone = ZoneInfo(config.timezone)
    bounds = {
        name: moment.astimezone(zone).replace(tzinfo=None)
        for name, moment in [("start", start), ("end", end)]
    }
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(
                    sqlalchemy.text("SELECT set_config('TimeZone', :zone, false)"),
                    {"zone": config.timezone},
                )
            result = connection.execute(sqlalchemy.text(config.query), bounds)
            rows = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    except OperationalError as error:
        msg = (
            f"The database in {config.url_env} did not answer the query ({error.orig}); check that "
            "it runs, may be read and has what source.query asks for, then retry."
        )
        raise OutageError(msg) from error
    except DBAPIError as error:
        msg = f"The database refused source.query ({error.orig}); correct the query."
        raise DataError(msg) from error
    finally:
        engine.dispose()
    if rows.empty:
        return nothing(columns)
    return shaped(rows.rename(columns=config.rename), columns, config.timezone, start, end)


def _engine(config: SqlSource) -> sqlalchemy.Engine:
    url = settings.named(config.url_env)
    if not url:
        msg = (
            f"source.url_env names {config.url_env}, which is not set; set it to an SQLAlchemy URL "
            "such as postgresql+psycopg2://user:password@host/database."
        )
        raise ConfigError(msg)
    try:
        return sqlalchemy.create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        msg = (
            f"{config.url_env} holds no URL that SQLAlchemy can use ({type(error).__name__}); "
            "write dialect+driver://user:password@host/database and install that driver."
        )
        raise ConfigError(msg) from error
