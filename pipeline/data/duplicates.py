"""Which of several rows for one machine and time stays. Pure, and blind to the order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.data.faults import Faults, Mask


def check_duplicates(
    key: pd.DataFrame, content: NDArray[np.uint64], candidates: Mask, faults: Faults
) -> None:
    """File all rows but one of each key.

    A row without fault stays before one with a fault; among equals the one whose content hashes
    lowest, which is arbitrary but does not depend on the order of delivery.

    Args:
        key: machine and grid point of each row, n rows.
        content: hash of each whole row; equal rows have equal hashes.
        candidates: rows whose key can be trusted.
        faults: what is filed, and which rows broke a rule before.
    """
    rows = np.flatnonzero(candidates & key.duplicated(keep=False).to_numpy())
    if not len(rows):
        return
    ranked = rows[np.lexsort((content[rows], faults.any[rows]))]
    groups = key.iloc[ranked].reset_index(drop=True)
    position = groups.groupby(list(groups.columns), sort=False).cumcount().to_numpy()
    first = pd.Series(content[ranked]).groupby([groups[c] for c in groups], sort=False)
    stays = first.transform("first").to_numpy()
    surplus = position > 0
    identical = surplus & (content[ranked] == stays)
    faults.add(ranked[identical], "duplicate", None, "a row with the same content is kept")
    conflicting = surplus & ~identical
    faults.add(
        ranked[conflicting],
        "conflicting_duplicate",
        None,
        "another row for the same machine and time, with other values, is kept",
    )
