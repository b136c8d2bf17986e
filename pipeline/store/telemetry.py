"""The table `telemetry`: validated rows with the features made of them.

`pipeline.store.writing` writes it. Days are UTC; a span of days includes both ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd
import pyarrow as pa

from pipeline import tables
from pipeline.config import Columns, DetectorSpec
from pipeline.settings import Deployment
from pipeline.tables import Table
from pipeline.tables.scan import rows_by_day, scan


def telemetry_table(rows: pd.DataFrame | None, columns: Columns) -> pa.Table:
    """Derived rows of any days as an Arrow table with the partition column `date`."""
    schema = pa.schema(
        [
            (columns.timestamp, pa.timestamp("us", tz="UTC")),
            *([(columns.entity, pa.string())] if columns.entity else []),
            *[(name, pa.float32()) for name in columns.feature_columns],
            *[
                (name, pa.bool_() if name in columns.marks else pa.float64())
                for name in columns.evaluation_only
            ],
        ]
    )
    held = (
        schema.empty_table()
        if rows is None
        else pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
    )
    return held.add_column(0, "date", held[columns.timestamp].cast(pa.date32()))


def telemetry_version(here: Deployment, detector: str) -> int | None:
    """The newest version; None while the table does not exist."""
    return tables.current_version(_table(here, detector))


def telemetry_days(here: Deployment, detector: str, *, version: int | None = None) -> list[date]:
    """The days with rows, oldest first, in `version` (None: the newest)."""
    return tables.days_in(_table(here, detector), version=version)


def telemetry_columns(here: Deployment, detector: str) -> dict[str, str]:
    """The Arrow type of each column, by its name; empty while the table does not exist."""
    return tables.schema_of(_table(here, detector))


def telemetry_sizes(here: Deployment, detector: str) -> dict[date, int]:
    """The number of rows of each day, from the log of the table: no row is read."""
    return rows_by_day(_table(here, detector))


def count_telemetry(
    here: Deployment, spec: DetectorSpec, first: date, last: date, *, version: int | None
) -> dict[date, int]:
    """The number of rows of each day with rows."""
    rows = tables.read(
        _table(here, spec.name),
        columns=[spec.columns.timestamp],
        first_day=first,
        last_day=last,
        version=version,
        keep_date=True,
    )
    return dict(rows["date"].value_counts())


def read_telemetry(
    here: Deployment,
    detector: str,
    first: date,
    last: date,
    *,
    columns: Sequence[str] | None = None,
    version: int | None = None,
) -> pd.DataFrame:
    """Rows in no defined order, with `columns` (None: all but `date`).

    Raises:
        DataError: there is no such `version`.
        OutageError: the store does not answer.
    """
    return tables.read(
        _table(here, detector),
        columns=columns,
        first_day=first,
        last_day=last,
        version=version,
        keep_date="date" in (columns or ()),
    )


def read_telemetry_of(
    here: Deployment, spec: DetectorSpec, days: Sequence[date], *, version: int
) -> pd.DataFrame:
    """Rows of `days`, at least one, ascending, not always neighbours; by time and entity."""
    frame = tables.read(
        _table(here, spec.name),
        first_day=days[0],
        last_day=days[-1],
        version=version,
        keep_date=True,
    )
    frame = frame[frame["date"].isin(days)].drop(columns="date")
    return frame.sort_values(spec.columns.row_key, ignore_index=True)


def scan_telemetry(
    here: Deployment,
    detector: str,
    first: date,
    last: date,
    *,
    columns: Collection[str],
    version: int | None = None,
) -> pa.Table:
    """Rows by day, with those of `columns` that the table has; see `pipeline.tables.scan.scan`."""
    return scan(_table(here, detector), first, last, columns=columns, version=version)[1]


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "telemetry")
