"""Source `csv`: comma-separated files, plain or compressed (`.csv`, `.csv.gz`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from pipeline.config import Columns, CsvSource
from pipeline.data.sources.locations import Location, files_at
from pipeline.data.sources.shaping import nothing, shaped, wanted
from pipeline.errors import DataError, OutageError


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
    files = files_at(config.path, (".csv", ".csv.gz"), config.timezone, start, end)
    parts = [_read(file, config, columns) for file in files]
    if not parts:
        return nothing(columns)
    return shaped(pd.concat(parts, ignore_index=True), columns, config.timezone, start, end)


def _read(file: Location, config: CsvSource, columns: Columns) -> pd.DataFrame:
    names = wanted(columns, config.rename)
    as_text = {old: str for old, new in names.items() if new in (columns.timestamp, columns.entity)}
    try:
        with file.filesystem.open_input_stream(file.path) as stream:
            content = pd.read_csv(
                stream,
                sep=config.delimiter,
                usecols=lambda name: name in names,
                dtype=as_text,
                low_memory=False,
            )
    except OSError as error:
        msg = f"{file.path} cannot be read ({error}); check that the store answers, then retry."
        raise OutageError(msg) from error
    except ValueError as error:  # parser and decoding errors are both ValueErrors
        msg = (
            f"{file.path} is no CSV with delimiter {config.delimiter!r} in UTF-8 ({error}); "
            "correct the file or source.delimiter."
        )
        raise DataError(msg) from error
    return content.rename(columns=names)
