"""Monthly recalibration of the threshold, on rows that the old threshold flagged or not."""

from pipeline.recalibration.recalibrating import recalibrate
from pipeline.recalibration.records import (
    STATUSES,
    Anchor,
    KeptScores,
    Memory,
    Recalibrated,
    Stop,
    WindowRows,
    accepted_anchor,
    unforced_anchor,
)

__all__ = [
    "STATUSES",
    "Anchor",
    "KeptScores",
    "Memory",
    "Recalibrated",
    "Stop",
    "WindowRows",
    "accepted_anchor",
    "recalibrate",
    "unforced_anchor",
]
