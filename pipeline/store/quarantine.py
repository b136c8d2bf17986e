"""The table `quarantine`: rejected rows, and cells that accepted rows lack.

`pipeline.store.writing` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.data.contract import Validated
from pipeline.tables.schemas import SCHEMAS


def quarantine_table(validated: Mapping[date, Validated]) -> pa.Table:
    """The records as an Arrow table; `date` is the day they came with, whatever their time."""
    kinds = [(day, v.rejected, False) for day, v in validated.items()]
    kinds += [(day, v.cells, True) for day, v in validated.items()]
    held = [(day, frame.assign(partial=partial)) for day, frame, partial in kinds if len(frame)]
    if not held:
        return SCHEMAS["quarantine"].empty_table()
    rows = pd.concat([frame for _, frame in held], ignore_index=True)
    rows["date"] = np.repeat([day for day, _ in held], [len(frame) for _, frame in held])
    return pa.Table.from_pandas(rows, schema=SCHEMAS["quarantine"], preserve_index=False)
