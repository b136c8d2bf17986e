"""The lineage of a bundle: the version of its weights, and the version it was fine-tuned from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Lineage:
    """The ancestors of a recalibrated bundle; a trained one has none.

    Attributes:
        weights_of: version that was trained; this bundle has the same network, to the byte.
        drawn_from: version that was live when the threshold was recalibrated.
        trained_until: last day that the network may have been trained on.
        anchor_threshold: the threshold that the total move is measured from: that of the training,
            or one beyond the bounds that a person has accepted since.
        anchor_level: median score at that time.
        anchor_day: last day of the rows that it was estimated from.
        moved: last day of the window that gave the threshold its present value.
        counts: number of rows in the window, by status.
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
    """The version that a network was fine-tuned from, and the rows of that fit.

    Attributes:
        version: the version that was live.
        bundle_sha256: digest of its bundle.
        since: first day that these weights, or those that they started from, were trained on.
        recent_days: number of newest days in the train block.
        recent_rows: number of their rows that were trained on.
        confirmed: number of those that a person has labelled normal.
        suspects: number of rows left out, because `version` flags them and nobody labelled them.
        replay_days: number of older days that were replayed.
        replay_rows: number of their normal rows, which windows are sampled from.
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
