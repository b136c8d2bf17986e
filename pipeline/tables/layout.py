"""Plain rows with the columns of their table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipeline.tables.schemas import COMMIT, SCHEMAS, TableName


def laid_out(name: TableName, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Plain rows with the columns of the table `name`; values that a row lacks are null."""
    # Arrow may read a time with another offset as if it were UTC.
    content = [{key: _in_utc(value) for key, value in row.items()} for row in rows]
    return pa.Table.from_pylist(content, schema=SCHEMAS[name])


def with_commit(rows: pa.Table, version: int) -> pa.Table:
    """`rows` with `version` in every cell of their column COMMIT."""
    place = rows.schema.names.index(COMMIT)
    numbers = pa.repeat(pa.scalar(version, pa.int64()), rows.num_rows)
    return rows.set_column(place, rows.schema.field(place), numbers)


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
