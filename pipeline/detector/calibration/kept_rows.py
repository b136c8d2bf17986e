"""The rows that a bundle keeps, read from Parquet files that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BundleError

MOST_BYTES = 2**30
"""Size of the unpacked rows: a small file may claim any size."""

_FIX = "The file is damaged, was changed, or belongs to another detector: fetch the bundle again."


def read_rows(path: Path, columns: Mapping[str, pa.DataType], *, most: int) -> pa.Table:
    """The rows of `path`: from 1 to `most`, the named `columns` and no others, without nulls.

    Raises:
        BundleError: it cannot be read, or holds something else.
    """
    try:
        file = pq.ParquetFile(path)  # read_table would import pandas
        _refuse_other(path, file, columns, most)
        table = file.read()
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        msg = f"{path}: cannot be read as Parquet ({reason}). {_FIX}"
        raise BundleError(msg) from error
    for name in table.column_names:
        if nulls := table[name].null_count:
            msg = f"{path}: {nulls:,} of {len(table):,} values of {name[:80]!r} are null. {_FIX}"
            raise BundleError(msg)
    return table


def _refuse_other(
    path: Path, file: pq.ParquetFile, columns: Mapping[str, pa.DataType], most: int
) -> None:
    rows, held = file.metadata.num_rows, file.schema_arrow
    if not 1 <= rows <= most:
        msg = f"{path}: holds {rows:,} rows; from 1 to {most:,} are allowed. {_FIX}"
        raise BundleError(msg)
    if held.names != list(columns):
        at = next((n for n, m in zip(held.names, columns, strict=False) if n != m), "")
        msg = (
            f"{path}: has {len(held.names):,} columns, not {len(columns):,} "
            f"({', '.join(list(columns)[:5])[:200]}...); {at[:80]!r} is out of place. {_FIX}"
        )
        raise BundleError(msg)
    for name, kind in columns.items():
        if held.field(name).type != kind:
            msg = f"{path}: {name[:80]!r} holds {held.field(name).type}, not {kind}. {_FIX}"
            raise BundleError(msg)
    groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if size > MOST_BYTES:
        msg = f"{path}: unpacks to {size:,} bytes; at most {MOST_BYTES:,} are read. {_FIX}"
        raise BundleError(msg)
