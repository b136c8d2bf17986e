"""Telemetry of chosen days, which need not be neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from pipeline.config import Columns
from pipeline.tables import Table, read


def read_days(
    table: Table, columns: Columns, days: Sequence[date], *, version: int
) -> pd.DataFrame:
    """The rows of `days`, at least one, ascending, in order of time and entity."""
    frame = read(table, first_day=days[0], last_day=days[-1], version=version, keep_date=True)
    frame = frame[frame["date"].isin(days)].drop(columns="date")
    return frame.sort_values(columns.row_key, ignore_index=True)
