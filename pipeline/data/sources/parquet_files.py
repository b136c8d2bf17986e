"""Source `parquet`: Parquet files, of which only the interval is read."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset

from pipeline.config import Columns, ParquetSource
from pipeline.data.sources.locations import Location, files_at
from pipeline.data.sources.shaping import nothing, shaped, wanted
from pipeline.errors import DataError, OutageError

_MARGIN = timedelta(hours=2)  # a local time may be off by the hour that a clock change adds


def fetch(
    config: ParquetSource,
    columns: Columns,
    start: datetime,
    end: datetime,
    cache: Path,  # noqa: ARG001 - part of the Source protocol
) -> pd.DataFrame:
    """The rows of [`start`, `end`); see `Source`. The time filter reaches the row groups."""
    files = files_at(config.path, (".parquet",), config.timezone, start, end)
    parts = [_read(file, config, columns, start, end) for file in files]
    filled = [part for part in parts if len(part)]
    if not filled:
        return (
            parts[0].pipe(shaped, columns, config.timezone, start, end)
            if parts
            else nothing(columns)
        )
    return shaped(pd.concat(filled, ignore_index=True), columns, config.timezone, start, end)


def _read(
    file: Location, config: ParquetSource, columns: Columns, start: datetime, end: datetime
) -> pd.DataFrame:
    try:
        content = dataset.dataset(file.path, filesystem=file.filesystem, format="parquet")
        names = {
            old: new
            for old, new in wanted(columns, config.rename).items()
            if old in content.schema.names
        }
        interval = _interval(content.schema, names, columns, config.timezone, start, end)
        table = content.to_table(columns=list(names), filter=interval)
    except pa.ArrowInvalid as error:
        msg = f"{file.path} is no Parquet file ({error}); deliver it again, or correct source.path."
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{file.path} cannot be read ({error}); check that the store answers, then retry."
        raise OutageError(msg) from error
    # Without pandas' own notes in the file, which would make an index of what is a column here.
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    return frame.rename(columns=names)


def _interval(
    schema: pa.Schema,
    names: dict[str, str],
    columns: Columns,
    timezone: str,
    start: datetime,
    end: datetime,
) -> pc.Expression | None:
    """A filter that keeps at least the interval; None where times are text and sort as text."""
    old = next((old for old, new in names.items() if new == columns.timestamp), None)
    if old is None or not pa.types.is_timestamp(schema.field(old).type):
        return None
    kind = schema.field(old).type
    if kind.tz is None:
        zone = ZoneInfo(timezone)
        start = (start.astimezone(zone) - _MARGIN).replace(tzinfo=None)
        end = (end.astimezone(zone) + _MARGIN).replace(tzinfo=None)
    field = pc.field(old)
    return (field >= pa.scalar(start, kind)) & (field < pa.scalar(end, kind))
