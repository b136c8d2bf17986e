"""Validated and rejected rows as their tables store them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config import Columns
from pipeline.data.fingerprint import row_hashes
from pipeline.tables.schemas import SCHEMAS


@dataclass(frozen=True)
class Difference:
    """The difference between the rows of a day and those before; keys are time, entity.

    Attributes:
        added: rows with a key that was not there.
        removed: rows whose key is gone.
        changed: rows with other content.
        unknown: the rows before could not be read, so that the numbers say nothing.
    """

    added: int
    removed: int
    changed: int
    unknown: bool = False

    @property
    def any(self) -> bool:
        """Whether there is a difference at all, or may be."""
        return bool(self.added or self.removed or self.changed or self.unknown)


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


def quarantine_table(frames: Mapping[date, pd.DataFrame]) -> pa.Table:
    """Rejected rows as an Arrow table; `date` is the day they came with, whatever their time."""
    held = {day: frame for day, frame in frames.items() if len(frame)}
    if not held:
        return SCHEMAS["quarantine"].empty_table()
    rows = pd.concat(held.values(), ignore_index=True)
    rows["date"] = np.repeat(list(held), [len(frame) for frame in held.values()])
    return pa.Table.from_pandas(rows, schema=SCHEMAS["quarantine"], preserve_index=False)


def differences(
    before: pd.DataFrame, after: pd.DataFrame, key: Sequence[str] | None
) -> dict[date, Difference]:
    """For each day in the column `date` the difference between its rows `before` and `after`.

    A row counts as changed when its key is on both sides and its content is not. Without `key`, a
    row is its own key. A column that one side does not have is null there: a column that the
    detector file no longer has makes no difference by itself.
    """
    old, new = _day_sizes(before), _day_sizes(after)
    found = {day: Difference(rows, 0, 0) for day, rows in new.items()}
    found |= {day: Difference(0, rows, 0) for day, rows in old.items()}
    both = old.keys() & new.keys()  # only these need a look at the rows, and none in a first load
    if not both:
        return found
    sides = (_with_columns_of(before, after), _with_columns_of(after, before))
    hashed = [_hashed_by_day(rows[rows["date"].isin(both)], key) for rows in sides]
    return found | {day: _difference(hashed[0][day], hashed[1][day]) for day in both}


def _with_columns_of(rows: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in other.columns if name not in rows]
    if not absent:
        return rows
    return pd.concat([rows, other[absent].iloc[:0].reindex(rows.index)], axis=1)


def _day_sizes(rows: pd.DataFrame) -> dict[date, int]:
    return dict(Counter(rows["date"]))


def _hashed_by_day(rows: pd.DataFrame, key: Sequence[str] | None) -> dict[date, pd.DataFrame]:
    content = rows.drop(columns="date")
    names = [name for name in key or () if content[name].dtype == object]
    hashes = pd.DataFrame({"row": row_hashes(content, names=names)})
    hashes["key"] = row_hashes(content[list(key)], names=names) if key else hashes["row"]
    days = rows["date"].to_numpy()
    return {days[same.index[0]]: same for _, same in hashes.groupby(days)}


def _difference(old: pd.DataFrame, new: pd.DataFrame) -> Difference:
    if old["key"].is_unique and new["key"].is_unique:
        both = old.merge(new, on="key", suffixes=("_old", "_new"))
        changed = int((both["row_old"] != both["row_new"]).sum())
        return Difference(len(new) - len(both), len(old) - len(both), changed)
    counts = new["row"].value_counts().sub(old["row"].value_counts(), fill_value=0)
    return Difference(int(counts.clip(lower=0).sum()), int(-counts.clip(upper=0).sum()), 0)
