"""Section `source`: where the raw rows come from. One model a kind, told apart by `kind`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.config.section import Section

Rename = Annotated[
    dict[str, str],
    Field(description="Source column -> the name that `schema` uses; others keep their name."),
]


class CsvSource(Section):
    """Comma-separated files."""

    kind: Literal["csv"]
    path: str = Field(description="A file, folder or glob, local or s3://; {date} is the day.")
    timezone: str = Field("UTC", description="Zone of timestamps that carry no offset.")
    delimiter: str = Field(",", min_length=1, max_length=1)
    rename: Rename = Field(default_factory=dict)


class ParquetSource(Section):
    """Parquet files."""

    kind: Literal["parquet"]
    path: str = Field(description="A file, folder or glob, local or s3://; {date} is the day.")
    timezone: str = Field("UTC", description="Zone of timestamps that carry no offset.")
    rename: Rename = Field(default_factory=dict)


class SqlSource(Section):
    """A query against any database that SQLAlchemy reaches.

    `query` must use the bound parameters `:start` and `:end`, so that one partition reads one
    interval and never the whole table.
    """

    kind: Literal["sql"]
    url_env: str = Field(
        description="Environment variable that holds the SQLAlchemy URL: no secret in this file.",
        pattern=r"^[A-Z][A-Z0-9_]*$",
    )
    query: str
    timezone: str = Field("UTC", description="Zone of timestamps that carry no offset.")
    rename: Rename = Field(default_factory=dict)

    @field_validator("query")
    @classmethod
    def _must_be_bounded(cls, value: str) -> str:
        for parameter in (":start", ":end"):
            if not re.search(rf"{parameter}\b", value):
                msg = f"the query has no {parameter}; add `WHERE time >= :start AND time < :end`"
                raise ValueError(msg)
        return value


class LaHauteBorneSource(Section):
    """ENGIE's La Haute Borne wind farm 2014-2015, fetched once from the `openoa` wheel."""

    kind: Literal["la_haute_borne"]
    replaced_days: str | None = Field(
        None,
        pattern=r"\{date\}",
        description="Parquet path with {date}; a file there stands in for that day of the sample. "
        "The demo plants faults this way.",
    )


SourceSpec = Annotated[
    CsvSource | ParquetSource | SqlSource | LaHauteBorneSource, Field(discriminator="kind")
]
