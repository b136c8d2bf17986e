"""Reading several files: a damaged file of a neighbouring day does not stop this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from pipeline.data.sources.locations import Location, is_of
from pipeline.data.sources.shaping import SourceRows
from pipeline.errors import DataError

log = structlog.get_logger()


def read_all(
    files: Sequence[Location],
    read: Callable[[Location], SourceRows],
    start: datetime,
    end: datetime,
) -> list[SourceRows]:
    """The rows of `files`. A file of a day outside [`start`, `end`) is left out if it is faulty.

    Such a file is read for the few rows that a local day shares with its neighbour; its own day
    reports the fault. If it holds rows of the interval, the completeness check counts what is
    missing.

    Raises:
        DataError: a file of the interval, or of any days, is faulty.
        OutageError: the store does not answer.
    """
    found: list[SourceRows] = []
    for file in files:
        try:
            found.append(read(file))
        except DataError as error:
            if is_of(file, start, end):
                raise
            log.warning("neighbouring_file_not_read", path=file.path, reason=str(error))
    return found
