"""Channels in one cell of a table: separated by commas, a name that holds one in quotes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable


def as_cell(names: Iterable[str]) -> str:
    """`flow,"speed, m/s"`; empty for none."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(list(names))
    return line.getvalue()


def of_cell(cell: str) -> list[str]:
    """The names that `as_cell` wrote."""
    return [name.strip() for line in csv.reader(io.StringIO(cell)) for name in line if name]
