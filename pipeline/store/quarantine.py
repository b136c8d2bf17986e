"""The table `quarantine`: rejected rows. `pipeline.store.writing` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.tables.schemas import SCHEMAS


def quarantine_table(frames: Mapping[date, pd.DataFrame]) -> pa.Table:
    """Rejected rows as an Arrow table; `date` is the day they came with, whatever their time."""
    held = {day: frame for day, frame in frames.items() if len(frame)}
    if not held:
        return SCHEMAS["quarantine"].empty_table()
    rows = pd.concat(held.values(), ignore_index=True)
    rows["date"] = np.repeat(list(held), [len(frame) for frame in held.values()])
    return pa.Table.from_pandas(rows, schema=SCHEMAS["quarantine"], preserve_index=False)
