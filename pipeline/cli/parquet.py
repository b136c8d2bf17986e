"""Parquet files at the edge: read with clear errors, written whole or not at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError


def read(path: Path) -> pa.Table:
    """The table in `path`.

    Raises:
        DataError: there is no such file, it is no Parquet file, or it holds no rows.
    """
    if not path.is_file():
        msg = f"{path}: no such file; give the path of a Parquet file"
        raise DataError(msg)
    try:
        # Memory-mapped and without pyarrow.dataset, which costs a quarter of a second to import.
        table = pq.ParquetFile(path, memory_map=True).read()
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{path}: is not a readable Parquet file ({error})"
        raise DataError(msg) from error
    if not table.num_rows:
        msg = f"{path}: holds no rows; give a file with data"
        raise DataError(msg)
    table = _without_index(table)
    doubled = sorted({n for n in table.column_names if table.column_names.count(n) > 1})
    if doubled:
        msg = f"{path}: has several columns named {doubled[0]!r}; rename or drop all but one"
        raise DataError(msg)
    return table


def _without_index(table: pa.Table) -> pa.Table:
    """`table` as plain columns: pandas also stores how it once numbered the rows.

    A nameless index is no measurement and goes; a named one, often the time, is a column.
    """
    nameless = [name for name in table.column_names if re.fullmatch(r"__index_level_\d+__", name)]
    plain: pa.Table = table.drop_columns(nameless).replace_schema_metadata(None)
    return plain


def write(table: pa.Table, path: Path) -> None:
    """Write `table` to `path`, making its folder; an older file is replaced in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        pq.write_table(table, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a feature."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
