"""Rows of Parquet files that stay on disk: a few thousand of them are in memory at a time."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.detector.bundle.sums import file_hash
from pipeline.errors import DataError

BATCH = 65_536
"""Rows at a time; a multiple of the graph's batch, so that scores round as for the whole file."""

_BUFFER = 1 << 20  # bytes of a column read ahead: a file of one huge row group needs no more


@dataclass(frozen=True)
class Stored:
    """The rows of one Parquet file, or of all files in a folder, in the order of their names.

    Attributes:
        path: the file or the folder.
        files: the files.
        schema: their columns, without pandas' index columns.
        rows: number of rows.
    """

    path: Path
    files: tuple[Path, ...]
    schema: pa.Schema
    rows: int


def find(path: Path) -> Stored:
    """The rows at `path`; only the metadata are read.

    Raises:
        DataError: there is no such file, it is not a Parquet file, it has no rows, a column occurs
            twice, or the files of a folder have different columns.
    """
    files = tuple(sorted(path.rglob("*.parquet"))) if path.is_dir() else (path,)
    if not files:
        msg = f"{path}: holds no .parquet file; give a Parquet file or a folder of them"
        raise DataError(msg)
    schemas, rows = [], 0
    for file in files:
        with _opened(file) as content:
            schemas.append(_plain(content.schema_arrow))
            rows += content.metadata.num_rows
    other = [file for file, schema in zip(files, schemas, strict=True) if schema != schemas[0]]
    if other:
        msg = f"{other[0]}: has other columns or types than {files[0]}; write them alike"
        raise DataError(msg)
    if not rows:
        msg = f"{path}: holds no rows; give a file with data"
        raise DataError(msg)
    names = schemas[0].names
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        msg = f"{path}: has several columns named {doubled[0]!r}; rename or drop all but one"
        raise DataError(msg)
    return Stored(path, files, schemas[0], rows)


def whole(stored: Stored) -> pa.Table:
    """All rows at once."""
    return pa.concat_tables([_table(file).select(stored.schema.names) for file in stored.files])


def batches(stored: Stored, columns: Sequence[str]) -> Iterator[pa.Table]:
    """All rows in order, 65,536 at a time and then the rest, however the files are split."""
    waiting: list[pa.Table] = []
    for file in stored.files:
        with _opened(file) as content:
            for part in content.iter_batches(BATCH, columns=list(columns)):
                joined = pa.concat_tables([*waiting, _of_batch(part)])
                while joined.num_rows >= BATCH:
                    yield joined.slice(0, BATCH)
                    joined = joined.slice(BATCH)
                waiting = [joined] if joined.num_rows else []
    yield from waiting


def rows_by_number(stored: Stored, columns: Sequence[str], numbers: NDArray[np.int64]) -> pa.Table:
    """The rows with these numbers, from 0 and in order; row groups without any are not read."""
    parts: list[pa.Table] = []
    first = 0
    for file in stored.files:
        with _opened(file) as content:
            for group in range(content.num_row_groups):
                beyond = first + content.metadata.row_group(group).num_rows
                if _between(numbers, first, beyond).size:
                    parts += _of_group(content, group, columns, numbers, first)
                first = beyond
    return pa.concat_tables(parts)


def content_hash(stored: Stored) -> str:
    """The sha256 of the file; of a folder, of the hashes of its files."""
    hashes = [file_hash(file) for file in stored.files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _of_group(
    content: pq.ParquetFile,
    group: int,
    columns: Sequence[str],
    numbers: NDArray[np.int64],
    first: int,
) -> Iterator[pa.Table]:
    for part in content.iter_batches(BATCH, row_groups=[group], columns=list(columns)):
        inside = _between(numbers, first, first + part.num_rows) - first
        if len(inside):
            yield _of_batch(part).take(pa.array(inside))
        first += part.num_rows


def _between(numbers: NDArray[np.int64], first: int, beyond: int) -> NDArray[np.int64]:
    low, high = np.searchsorted(numbers, [first, beyond])
    return numbers[low:high]


def _of_batch(part: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([part]).replace_schema_metadata(None)


def _table(file: Path) -> pa.Table:
    """One file as a whole, memory-mapped."""
    with _opened(file, memory_map=True) as content:
        return content.read().replace_schema_metadata(None)


@contextmanager
def _opened(file: Path, *, memory_map: bool = False) -> Iterator[pq.ParquetFile]:
    """A Parquet file, without pyarrow.dataset, which costs a quarter of a second to import."""
    if not file.is_file():
        msg = f"{file}: no such file; give the path of a Parquet file"
        raise DataError(msg)
    try:
        # A mapping counts as resident memory, so a file is only mapped to be read as a whole.
        with pq.ParquetFile(
            file, memory_map=memory_map, buffer_size=_BUFFER, pre_buffer=False
        ) as content:
            yield content
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{file}: is not a readable Parquet file ({error})"
        raise DataError(msg) from error


def _plain(schema: pa.Schema) -> pa.Schema:
    """`schema` without pandas' metadata and nameless index.

    A nameless index is not a measurement; a named one, often the time, stays as a column.
    """
    kept = [field for field in schema if not re.fullmatch(r"__index_level_\d+__", field.name)]
    return pa.schema([field.remove_metadata() for field in kept])


def write_parquet(tables: Iterable[pa.Table], path: Path) -> None:
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
