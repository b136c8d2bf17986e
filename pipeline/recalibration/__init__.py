"""A line drawn anew each month on rows that the old line judged, without fooling oneself."""

from pipeline.recalibration.recalibrating import recalibrate
from pipeline.recalibration.records import (
    STATUSES,
    Anchor,
    Recalibrated,
    Stop,
    WindowRows,
    accepted_anchor,
    unforced_anchor,
)

__all__ = [
    "STATUSES",
    "Anchor",
    "Recalibrated",
    "Stop",
    "WindowRows",
    "accepted_anchor",
    "recalibrate",
    "unforced_anchor",
]
