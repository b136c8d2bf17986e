"""Parquet files: written completely or not at all, and the column types of features."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write(tables: Iterable[pa.Table], path: Path) -> None:
    """Write `tables`, all with one schema, one after the other to `path`, creating its folder.

    An older file is replaced in one move when the last one is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(draft, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
            draft.replace(path)
    finally:
        if writer is not None:
            writer.close()
        draft.unlink(missing_ok=True)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a feature."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
