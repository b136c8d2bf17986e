"""How validated and rejected rows are laid out in their tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config import Columns
from pipeline.data.fingerprint import row_hashes
from pipeline.table_schemas import SCHEMAS


@dataclass(frozen=True)
class Difference:
    """How the rows of a day differ from those that the table held before; keys are time, entity."""

    added: int
    removed: int
    changed: int

    @property
    def any(self) -> bool:
        """Whether there is a difference at all."""
        return bool(self.added or self.removed or self.changed)


def telemetry_table(frames: Mapping[date, pd.DataFrame], columns: Columns) -> pa.Table:
    """Derived rows of several days as one Arrow table with the partition column `date`."""
    schema = pa.schema(
        [
            ("date", pa.date32()),
            (columns.timestamp, pa.timestamp("us", tz="UTC")),
            *([(columns.entity, pa.string())] if columns.entity else []),
            *[(name, pa.float32()) for name in columns.feature_columns],
            *[
                (name, pa.bool_() if name in columns.marks else pa.float64())
                for name in columns.evaluation_only
            ],
        ]
    )
    return _stacked(frames, schema)


def quarantine_table(frames: Mapping[date, pd.DataFrame]) -> pa.Table:
    """Rejected rows of several days as one Arrow table with the partition column `date`."""
    return _stacked(frames, SCHEMAS["quarantine"])


def hashed_by_day(rows: pd.DataFrame, key: Sequence[str] | None) -> dict[date, pd.DataFrame]:
    """For each day in column `date` the hashes `key` and `row` of its rows, to be compared.

    Without `key`, a row is its own key.
    """
    content = rows.drop(columns="date")
    hashes = pd.DataFrame({"row": row_hashes(content)})
    hashes["key"] = row_hashes(content[list(key)]) if key else hashes["row"]
    day = rows["date"].to_numpy()
    return {each: hashes[day == each] for each in sorted(set(day))}


def difference(before: pd.DataFrame | None, after: pd.DataFrame | None) -> Difference:
    """What turns the rows of a day `before` into those `after`; both from `hashed_by_day`.

    A row counts as changed when its key is on both sides and its content is not.
    """
    old, new = _present(before), _present(after)
    if old["key"].is_unique and new["key"].is_unique:
        both = old.merge(new, on="key", suffixes=("_old", "_new"))
        changed = int((both["row_old"] != both["row_new"]).sum())
        return Difference(len(new) - len(both), len(old) - len(both), changed)
    counts = new["row"].value_counts().sub(old["row"].value_counts(), fill_value=0)
    return Difference(int(counts.clip(lower=0).sum()), int(-counts.clip(upper=0).sum()), 0)


def _present(hashes: pd.DataFrame | None) -> pd.DataFrame:
    nothing = np.empty(0, dtype=np.uint64)
    return pd.DataFrame({"key": nothing, "row": nothing}) if hashes is None else hashes


def _stacked(frames: Mapping[date, pd.DataFrame], schema: pa.Schema) -> pa.Table:
    tables = [
        pa.Table.from_pandas(frame.assign(date=day), schema=schema, preserve_index=False)
        for day, frame in frames.items()
        if len(frame)
    ]
    return pa.concat_tables(tables) if tables else schema.empty_table()
