"""Counts what is read while a step runs: tables opened and read, data files, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from deltalake import DeltaTable


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """What is read while the context lasts, by `<table> opened`, `<table> files` and `bytes`."""
    found, before = Counter[str](), _bytes_read()
    dataset, opened = DeltaTable.to_pyarrow_dataset, DeltaTable.__init__

    def read(table: DeltaTable, *args: Any, **named: Any) -> Any:
        files = dataset(table, *args, **named)
        found[f"{_name(table.table_uri)} reads"] += 1
        found[f"{_name(table.table_uri)} files"] += len(list(files.get_fragments()))
        return files

    def open_it(table: DeltaTable, *args: Any, **named: Any) -> None:
        opened(table, *args, **named)
        found[f"{_name(table.table_uri)} opened"] += 1

    try:
        with (
            patch.object(DeltaTable, "to_pyarrow_dataset", read),
            patch.object(DeltaTable, "__init__", open_it),
        ):
            yield found
    finally:
        found["bytes"] = _bytes_read() - before


def total(found: Counter[str], what: str) -> int:
    """The sum over all tables of `opened`, `reads` or `files`."""
    return sum(number for name, number in found.items() if name.endswith(f" {what}"))


def _name(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2]


def _bytes_read() -> int:
    """Bytes that this process has read by system calls, whatever cache answered."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])
