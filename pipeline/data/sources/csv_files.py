"""Source `csv`: comma-separated files, plain or compressed (`.csv`, `.csv.gz`)."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Columns, CsvSource
from pipeline.data.sources.locations import Location, files_at, read_bytes
from pipeline.data.sources.reading import read_all
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
"""What stands for a value that is not there; a machine may well be called NA."""


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
    return SourceRows(rows, file.path, file.day)


def _as_text(held: bytes, delimiter: str, **how: Any) -> pd.DataFrame:
    """All columns as text, the header as a row: what pandas makes of a value depends on others."""
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
