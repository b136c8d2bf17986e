"""Section `source`: where the raw rows come from. One model for each `kind`."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from pipeline.config.section import Duration, Section
from pipeline.config.shown import shown
from pipeline.config.zones import Timezone

Rename = Annotated[
    dict[str, str],
    Field(description="Source column -> the name that `schema` uses; others keep their name."),
]


def _path_of_files(value: str) -> str:
    if not value.strip():
        msg = "is empty; write a file, a folder or a glob, for example data/{date}.csv"
        raise ValueError(msg)
    scheme, is_uri, place = value.partition("://")
    if is_uri and (scheme != "s3" or not place.split("/")[0]):
        msg = (
            f"begins with {shown(scheme)}://; a path is local (/data/press.csv) or on S3 "
            "(s3://bucket/press.csv): write one of these"
        )
        raise ValueError(msg)
    if is_uri and "@" in place.split("/")[0]:
        msg = "holds a login; write s3://bucket/..., and give AWS_* in the environment"
        raise ValueError(msg)
    if any(unicodedata.category(character) == "Cc" for character in value):
        msg = f"got {shown(value)}, which holds control characters; write the path without them"
        raise ValueError(msg)
    return value


def _name_of_a_variable(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        # Not the value: it may be the URL itself, with a password.
        msg = (
            "is no name of a variable (A-Z, 0-9 and _); put the URL into an environment variable "
            "and write its name here, for example PLIMSOLL_SOURCE_PLANT"
        )
        raise ValueError(msg)
    return value


def _separates(value: str) -> str:
    name = value.strip().lower()
    if value in ("\\t", "\\\\t") or name in ("tab", "tabulator"):
        msg = f'got {shown(value)}; a tabulator is written in double quotes: delimiter: "\\t"'
        raise ValueError(msg)
    if name in _DELIMITERS:
        msg = f'got {shown(value)}; write the character itself: delimiter: "{_DELIMITERS[name]}"'
        raise ValueError(msg)
    if len(value) != 1:
        msg = f'got {shown(value)}; a delimiter is one character: delimiter: ";" for example'
        raise ValueError(msg)
    if not value.isascii() or value.isalnum() or value in _NO_DELIMITERS:
        msg = (
            f"got {shown(value)}, which cannot separate columns (a quote, the end of a line, part "
            'of a number, or no ASCII); write the one of the file, often "," ";" "|" or "\\t"'
        )
        raise ValueError(msg)
    return value


_DELIMITERS = {"comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "blank": " "}
_NO_DELIMITERS = frozenset('\n\r\0".')

Delimiter = Annotated[str, AfterValidator(_separates)]

FilesPath = Annotated[
    str,
    AfterValidator(_path_of_files),
    Field(description="A file, folder or glob, local or s3://; {date} is the day."),
]


class CsvSource(Section):
    """Comma-separated files."""

    kind: Literal["csv"]
    path: FilesPath
    timezone: Timezone = "UTC"
    delimiter: Delimiter = ","
    rename: Rename = Field(default_factory=dict)


class ParquetSource(Section):
    """Parquet files."""

    kind: Literal["parquet"]
    path: FilesPath
    timezone: Timezone = "UTC"
    rename: Rename = Field(default_factory=dict)


class SqlSource(Section):
    """A query against any database that SQLAlchemy reaches, which can change nothing there.

    `query` must use the bound parameters `:start` and `:end`, so that one partition reads one
    interval and never the whole table. How each database keeps it from
    writing is in docs/security.md.
    """

    kind: Literal["sql"]
    url_env: Annotated[str, AfterValidator(_name_of_a_variable)] = Field(
        description="Environment variable PLIMSOLL_SOURCE_... that holds the SQLAlchemy URL: no "
        "secret in this file.",
    )
    query: str
    time_limit: Duration = Field(
        timedelta(minutes=10),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=30),
        description="How long the database may work on the query; a task has half an hour.",
    )
    timezone: Timezone = "UTC"
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
        description="Parquet path with {date}; a file there replaces that day of the sample. "
        "The demo plants faults this way.",
    )


SourceSpec = Annotated[
    CsvSource | ParquetSource | SqlSource | LaHauteBorneSource, Field(discriminator="kind")
]
