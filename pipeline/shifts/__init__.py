"""Channels that have left their training range: recognised, muted, named, given back."""

from pipeline.shifts.recognition import lookback, shifted_rows
from pipeline.shifts.records import Shifted, left_out, rows_of

__all__ = ["Shifted", "left_out", "lookback", "rows_of", "shifted_rows"]
