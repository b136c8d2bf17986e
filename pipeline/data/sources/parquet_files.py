"""Source `parquet`: Parquet files, of which only the interval is read."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import dataset

from pipeline.config import Columns, ParquetSource
from pipeline.data.sources.locations import Location, damage, files_at, is_of, read_all
from pipeline.data.sources.shaping import SourceRows, shaped, wanted

_MARGIN = timedelta(hours=2)  # a local time may be off by the hour that a clock change adds


def fetch(
    config: ParquetSource,
    columns: Columns,
    start: datetime,
    end: datetime,
    cache: Path,  # noqa: ARG001 - part of the Source protocol
) -> pd.DataFrame:
    """The rows of [`start`, `end`); see `Source`. The time filter reaches the row groups."""
    files = files_at(config.path, (".parquet",), start, end)
    return read(files, config, columns, start, end)


def read(
    files: list[Location], config: ParquetSource, columns: Columns, start: datetime, end: datetime
) -> pd.DataFrame:
    """The rows of [`start`, `end`) that `files` hold; see `Source`."""
    parts = read_all(files, lambda file: _read(file, config, columns, start, end), start, end)
    return shaped(parts, columns, config.timezone, start, end)


def _read(
    file: Location, config: ParquetSource, columns: Columns, start: datetime, end: datetime
) -> SourceRows:
    try:
        content = _opened(file)
        header = tuple(content.schema.names)
        names = wanted(columns, config.rename, header, file.path)
        time = next((old for old, new in names.items() if new == columns.timestamp), None)
        interval = None
        if time is not None and not _is_read_whole(content, file, time, start, end):
            interval = _interval(content.schema.field(time).type, time, config.timezone, start, end)
        table = content.to_table(columns=list(names), filter=interval)
    except (pa.ArrowException, OSError) as error:
        raise damage(file, "is no Parquet file, or a damaged one", error) from error
    # Without pandas' own notes in the file, which would make an index of what is a column here.
    table = table.replace_schema_metadata(None).rename_columns(list(names.values()))
    return SourceRows(_as_frame(table, columns), file.path, file.day)


def _is_read_whole(
    content: dataset.Dataset, file: Location, time: str, start: datetime, end: datetime
) -> bool:
    """Whether rows outside the interval matter: those without a time, and those of a day's file.

    A filter on the time would drop both in silence.
    """
    if file.day is not None:
        return is_of(file, start, end)
    return any(_may_hold_nulls(part.metadata, time) for part in content.get_fragments())


def _may_hold_nulls(metadata: pq.FileMetaData, column: str) -> bool:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            held = group.column(place)
            if held.path_in_schema != column:
                continue
            found = held.statistics
            if found is None or not found.has_null_count or found.null_count:
                return True
    return False


def _interval(
    kind: pa.DataType, time: str, timezone: str, start: datetime, end: datetime
) -> pc.Expression | None:
    """A filter that keeps at least the interval; None where times are no timestamps."""
    if not pa.types.is_timestamp(kind):
        return None
    if kind.tz is None:
        zone = ZoneInfo(timezone)
        start = (start.astimezone(zone) - _MARGIN).replace(tzinfo=None)
        end = (end.astimezone(zone) + _MARGIN).replace(tzinfo=None)
    field = pc.field(time)
    return (field >= pa.scalar(start, kind)) & (field < pa.scalar(end, kind))


def _as_frame(table: pa.Table, columns: Columns) -> pd.DataFrame:
    for place, name in enumerate(table.column_names):
        values = _decoded(table[name])
        if name == columns.entity and pa.types.is_integer(values.type):
            values = values.cast(pa.string())  # pandas makes 1.0 of 1 where one is absent
        table = table.set_column(place, name, values)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _opened(file: Location) -> dataset.Dataset:
    """The file; Polars' views of text and bytes, which Arrow cannot filter, as text and bytes."""
    content = dataset.dataset(file.path, filesystem=file.filesystem, format="parquet")
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    if not plain.keys() & set(content.schema.types):
        return content
    fields = [field.with_type(plain.get(field.type, field.type)) for field in content.schema]
    return dataset.dataset(
        file.path, schema=pa.schema(fields), filesystem=file.filesystem, format="parquet"
    )


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """`values` in a type that every version of pandas accepts."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _decoded(values.cast(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return values.cast(pa.timestamp(kind.unit, "UTC"))  # the moments are in UTC already
    if pa.types.is_large_string(kind) or pa.types.is_time(kind):
        return values.cast(pa.string())
    return values
