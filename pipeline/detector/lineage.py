"""Where a bundle comes from: the network that a line belongs to, the weights that were taken on."""

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


@dataclass(frozen=True)
class Start:
    """Whose weights a fine-tuned network went on from, and what it was shown.

    Attributes:
        version: that was live.
        bundle_sha256: its bundle.
        since: first day that these weights, or those that they went on from, have learnt from.
        recent_days: newest days of the train block.
        recent_rows: rows of them that were learnt.
        confirmed: of those, rows that a person has called normal.
        suspects: rows left out, because `version` flags them and nobody has judged them.
        replay_days: older days that were shown again.
        replay_rows: their normal rows; windows are drawn from them.
    """

    version: int
    bundle_sha256: str
    since: date
    recent_days: int
    recent_rows: int
    confirmed: int
    suspects: int
    replay_days: int
    replay_rows: int
