"""Raw rows from the source into the staging area, and the days whose rows cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.grid import require_day, stretches
from pipeline.data.sources import SOURCES
from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.store.staged import Staged, stage_raw
from pipeline.utc_day import end_of, midnight

_CHUNK_DAYS = 31  # bounds memory; long ranges are fetched, validated and committed in such parts

log = structlog.get_logger()


def fetch_days(here: Deployment, spec: DetectorSpec, days: Sequence[date]) -> Staged:
    """Stage the raw rows of `days`, and nothing of any other day.

    Args:
        here: whose storage holds the staged files, and whose cache a source may use between calls.
        spec: the detector, its source paths absolute.
        days: UTC days, in any order.

    Raises:
        OutageError: the source did not answer.
        DataError: it can never be read, no day was asked for, or one that no table can hold.
    """
    if not days:
        msg = f"{spec.name}: no day to ingest; name at least one."
        raise DataError(msg)
    for day in days:
        require_day(day)
    parts = []
    for chunk in stretches(sorted(set(days)), most=_CHUNK_DAYS):
        start, end = midnight(chunk[0]), end_of(chunk[-1])
        raw = SOURCES[spec.source.kind](spec.source, spec.columns, start, end, here.cache)
        parts.append(stage_raw(here, spec, raw, chunk))
        log.info(
            "raw_rows_fetched", first_day=str(chunk[0]), last_day=str(chunk[-1]), rows=len(raw)
        )
    return Staged(spec.name, tuple(parts))


def readable_days(
    here: Deployment, spec: DetectorSpec, days: Sequence[date]
) -> tuple[Staged, dict[date, DataError]]:
    """As `fetch_days`, for the days among `days` that can be read; for the others, why not.

    A source reads many days at once and says of a damaged file only that they cannot be read, so
    halves are tried until the days are found.

    Raises:
        OutageError: the source did not answer.
        DataError: no day was asked for.
    """
    try:
        return fetch_days(here, spec, days), {}
    except DataError as error:
        if not days:
            raise
        if len(days) == 1:
            return Staged(spec.name, ()), {days[0]: error}
    half = len(days) // 2
    first, not_first = readable_days(here, spec, days[:half])
    rest, not_rest = readable_days(here, spec, days[half:])
    return Staged(spec.name, first.parts + rest.parts), not_first | not_rest
