"""Source `csv`: comma-separated files, plain or compressed (`.csv`, `.csv.gz`)."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Columns, CsvSource
from pipeline.data.sources.locations import Location, files_at, read_all, read_bytes
from pipeline.data.sources.shaping import SourceRows, shaped, wanted
from pipeline.errors import DataError

MISSING = (
    "",
    "#N/A",
    "#NA",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "-nan",
    "-NaN",
    "null",
)
"""The texts that mean a missing value; a machine may well be called NA."""


def fetch(
    config: CsvSource,
    columns: Columns,
    start: datetime,
    end: datetime,
    cache: Path,  # noqa: ARG001 - part of the Source protocol
) -> pd.DataFrame:
    """The rows of [`start`, `end`); see `Source`.

    CSV has no index, so a file is read whole for each day: give one file a day (`{date}`) when the
    history is long.
    """
    files = files_at(config.path, (".csv", ".csv.gz"), start, end)
    parts = read_all(files, lambda file: _read(file, config, columns), start, end)
    return shaped(parts, columns, config.timezone, start, end)


def _read(file: Location, config: CsvSource, columns: Columns) -> SourceRows:
    held = _unpacked(file)
    if b"\0" in held:
        msg = (
            f"{file.path} holds the byte 0, so it is no text in UTF-8 (UTF-16, or damaged); "
            "save it as UTF-8."
        )
        raise DataError(msg)
    try:
        first = _as_text(held, config.delimiter, nrows=1)
        header = tuple(first.iloc[0]) if len(first) else ()
        names = wanted(columns, config.rename, header, file.path)
        places = [place for place, title in enumerate(header) if title in names]
        rows = _as_text(held, config.delimiter, usecols=places).iloc[1:]
    except ValueError as error:  # parser and decoding errors are both ValueErrors
        msg = (
            f"{file.path} is no CSV with delimiter {config.delimiter!r} in UTF-8 "
            f"({' '.join(str(error).split())}); correct the file or source.delimiter."
        )
        raise DataError(msg) from error
    rows.columns = pd.Index([names[header[place]] for place in places])
    for name in rows.columns.difference([columns.timestamp, columns.entity]):
        rows[name] = rows[name].mask(rows[name].isin(MISSING), None)
    if columns.entity is not None and columns.entity in rows:
        rows[columns.entity] = _whole(rows[columns.entity], columns.entities)
    return SourceRows(rows, file.path, file.day)


def _whole(names: pd.Series, known: Collection[str]) -> pd.Series:
    """Machine names that a program wrote as 1.0 because one was absent, as 1."""
    spelled = {
        name: name.removesuffix(".0")
        for name in names.unique()
        if re.fullmatch(r"\d+\.0", name) and name not in known
    }
    return names.replace(spelled) if spelled else names


def _as_text(held: bytes, delimiter: str, **how: Any) -> pd.DataFrame:
    """All columns as text, the header as a row: pandas' type of a value depends on other values."""
    if not held.strip():
        return pd.DataFrame()
    rows: pd.DataFrame = pd.read_csv(
        io.BytesIO(held), sep=delimiter, header=None, dtype=str, na_filter=False, **how
    )
    return rows


def _unpacked(file: Location) -> bytes:
    held = read_bytes(file)
    if file.path.lower().endswith(".gz"):
        try:
            held = gzip.decompress(held)
        except (OSError, EOFError, zlib.error) as error:
            msg = (
                f"{file.path} cannot be unpacked ({error}): the file is damaged or broken off; "
                "deliver it again."
            )
            raise DataError(msg) from error
    return held.removeprefix(codecs.BOM_UTF8)
