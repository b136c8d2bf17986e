"""Where a redrawn line comes from: which network it belongs to and how far it has moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Lineage:
    """What a recalibrated bundle knows of its ancestors; a trained one has none.

    Attributes:
        weights_of: version that was trained: its network is this bundle's, to the byte.
        drawn_from: version that was live when the line was redrawn.
        trained_until: last day that the network may have learnt from.
        anchor_threshold: the line from which the total move counts: that of the training, or one
            beyond the bounds that a person has accepted since.
        anchor_level: median score then.
        anchor_day: last day of the rows that it was drawn on.
        moved: last day of the window that moved the line to where it is.
        counts: rows of the window by status.
    """

    weights_of: int
    drawn_from: int
    trained_until: date
    anchor_threshold: float
    anchor_level: float
    anchor_day: date
    moved: date
    counts: dict[str, int]
