"""A line drawn anew each month on rows that the old line judged, without fooling oneself."""

from pipeline.recalibration.records import (
    STATUSES,
    Anchor,
    Recalibrated,
    Stop,
    WindowRows,
    accepted,
    taken,
)
from pipeline.recalibration.redrawing import recalibrate

__all__ = [
    "STATUSES",
    "Anchor",
    "Recalibrated",
    "Stop",
    "WindowRows",
    "accepted",
    "recalibrate",
    "taken",
]
