"""Choose the row that stays of several for one machine and time. Pure; the order is irrelevant."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.data.faults import Faults, Mask
from pipeline.data.fingerprint import row_hashes


def check_duplicates(
    key: pd.DataFrame, raw: pd.DataFrame, candidates: Mask, faults: Faults
) -> None:
    """Report all rows but one of each key as duplicates.

    A row without fault is preferred to one with a fault; among equals the one whose content hashes
    lowest stays, which is arbitrary but does not depend on the order of delivery.

    Args:
        key: day, machine and grid point of each row, n rows.
        raw: the rows themselves.
        candidates: rows whose key can be trusted.
        faults: receives the faults, and knows which rows broke a rule before.
    """
    rows = np.flatnonzero(candidates & key.duplicated(keep=False).to_numpy())
    if not len(rows):
        return
    content = row_hashes(raw.iloc[rows])
    order = np.lexsort((content, faults.any[rows]))
    ranked, content = rows[order], content[order]
    groups = key.iloc[ranked].reset_index(drop=True)
    position = groups.groupby(list(groups.columns), sort=False).cumcount().to_numpy()
    first = pd.Series(content).groupby([groups[c] for c in groups], sort=False)
    stays = first.transform("first").to_numpy()
    surplus = position > 0
    identical = surplus & (content == stays)
    faults.add(ranked[identical], "duplicate", None, "a row with the same content is kept")
    conflicting = surplus & ~identical
    faults.add(
        ranked[conflicting],
        "conflicting_duplicate",
        None,
        "another row for the same machine and time, with other values, is kept",
    )
