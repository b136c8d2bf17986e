"""Channels that have failed: recognised within the hour, as a shift is, and told once by name.

A cell that is missing now and then is on record in the quarantine and no incident. Where most rows
of the last hour lack the channel, its sensor has failed.
"""

from __future__ import annotations

import pandas as pd

from pipeline.config import Columns, Shifts
from pipeline.data.timeline import Mask, Timeline
from pipeline.shifts import lately, spans


def failing(failed: Mask, timeline: Timeline, limits: Shifts, columns: Columns) -> Mask:
    """Rows that lack a channel, as most rows of the last hour (`shifts.trailing`) do, (n, c).

    `failed` cells have the same shape; rows may come in any order.
    """
    brief, _ = spans(limits, columns.cadence)
    return failed & lately(failed, timeline, pd.Timedelta(brief).value, limits.share)
