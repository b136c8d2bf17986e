"""The sources of raw rows: one file for each kind, each with the same function.

To add a kind: a model in `pipeline.config.source`, a file here, an entry in SOURCES. The suite
`tests/contracts/test_every_source.py` then tests it against the protocol `Source`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from pipeline.config import Columns
from pipeline.data.sources import csv_files, la_haute_borne, parquet_files, sql


class Source(Protocol):
    """Fetches the raw rows of one interval."""

    def __call__(
        self, config: Any, columns: Columns, start: datetime, end: datetime, cache: Path
    ) -> pd.DataFrame:
        """The declared columns of the rows with `start` <= timestamp < `end`, sorted by time.

        The timestamp column is UTC with nanoseconds. Faulty rows are kept for the contract to
        reject; a column that the source lacks is absent; an interval without rows gives an empty
        frame. A row whose local time is ambiguous or impossible carries the reason in TIME_FAULT.

        Raises:
            OutageError: the source did not answer, or the file is not there (yet).
            DataError: what the source delivers can never be read.
        """
        ...


SOURCES: dict[str, Source] = {
    "csv": csv_files.fetch,
    "parquet": parquet_files.fetch,
    "sql": sql.fetch,
    "la_haute_borne": la_haute_borne.fetch,
}
"""`source.kind` -> the function that fetches."""
