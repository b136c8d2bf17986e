"""Scored days of which a given share is flagged, and the threshold that they are flagged by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import product

import pandas as pd

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.tables import Table
from pipeline.tables.layout import laid_out

_A_DAY = 144  # rows of ten minutes


def put_threshold(
    here: Deployment, detector: str, version: int = 3, *, n_effective: float = 900, **known: object
) -> None:
    """A threshold of 1 % from sixty days before April 2014."""
    row = {
        "date": date(2014, 4, 1),
        "version": version,
        "threshold": 1.0,
        "alpha": 0.01,
        "n": 8640,
        "n_effective": n_effective,
        "window_first": date(2014, 2, 1),
        "window_last": date(2014, 4, 1),
        **known,
    }
    tables.append(Table(here.storage, detector, "thresholds"), [row])


def put_flags(
    here: Deployment,
    detector: str,
    days: Sequence[date],
    share: float,
    *,
    version: int = 3,
    machines: Sequence[str] = ("",),
    failing: Sequence[str] = (),
    from_row: int = 0,
) -> None:
    """Flag so much of each three hours, blamed on the power; before `from_row` nothing.

    All rows of machines that are `failing` are flagged.
    """
    rows = []
    for day in days:
        time = pd.date_range(pd.Timestamp(day, tz="UTC"), periods=_A_DAY, freq="10min")
        for machine, (n, moment) in product(machines, enumerate(time)):
            flag = n >= from_row and (n % 18 < round(18 * share) or machine in failing)
            rows.append(
                {
                    "date": day,
                    "timestamp": moment,
                    "entity": machine,
                    "role": "champion",
                    "version": version,
                    "score": 0.5,
                    "threshold": 1.0,
                    "flag": flag,
                    "muted": "",
                    "features": '[["power", 9.0], ["pitch", 2.0]]' if flag else None,
                }
            )
    content = laid_out("scores", rows)
    tables.replace_days(Table(here.storage, detector, "scores"), list(days), content, metadata={})
