"""Channels in one cell of a table: separated by commas, a name that holds one in quotes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable


def as_cell(names: Iterable[str]) -> str:
    """`flow,"speed, m/s"`; empty for none."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(list(names))
    return row.getvalue()


def of_cell(cell: str) -> list[str]:
    """The names that `as_cell` wrote."""
    return [name.strip() for row in csv.reader(io.StringIO(cell)) for name in row if name]
