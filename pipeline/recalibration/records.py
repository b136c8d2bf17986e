"""What a recalibration looks at, and what it says: plain records, no storage and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Episode, Timeline
from pipeline.detector.threshold_estimate import ThresholdEstimate

Scores = NDArray[np.float64]
StopName = Literal["step", "total", "creep"]

STATUSES = ("confirmed", "presumed", "suspect", "incident", "held", "excluded")
"""What a row of the window is; `Recalibrated.status` holds places in this tuple.

confirmed: labelled normal. presumed: unlabelled and not flagged. suspect: flagged, unlabelled.
incident: labelled so. held: part of a cluster longer than normal rows make. excluded: muted.
"""


@dataclass(frozen=True)
class WindowRows:
    """The scored rows of the rolling window, in any order.

    Attributes:
        line: when and where each row was measured.
        score: shape (n,), in units of the score.
        threshold: the line in force at each row, shape (n,).
        verdict: latest label of each row, shape (n,): 0 none, 1 incident, 2 normal.
        excluded: muted or in an open shift, shape (n,): says nothing about the usual score.
        audit: probability with which the row's episode was drawn for audit, shape (n,); NaN where
            it was not drawn.
    """

    timeline: Timeline
    score: Scores
    threshold: Scores
    verdict: NDArray[np.int8]
    excluded: NDArray[np.bool_]
    audit: Scores

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True)
class Anchor:
    """Where moves are measured from: the training, or what a reviewer accepted since.

    Attributes:
        threshold: the line drawn then.
        level: median score then: of all calibration rows, `calibration.quantiles["0.5"]`.
        day: last day of the rows it was drawn on.
        moved: day on which the live line last changed its value; by training: `day`.
    """

    threshold: float
    level: float
    day: date
    moved: date


@dataclass(frozen=True)
class Stop:
    """A bound that was crossed: nothing goes live before a person has answered.

    Attributes:
        name: of the bound.
        value: what was found, as a relative change: 0.2 is 20 % up.
        limit: what is allowed without asking.
        reason: one sentence for the reviewer.
    """

    name: StopName
    value: float
    limit: float
    reason: str


@dataclass(frozen=True)
class Recalibrated:
    """A line drawn anew, the evidence for it, and what forbids to use it unasked.

    Attributes:
        threshold: the new line. Never live by itself: see `stops`.
        anchor: what the moves below are measured from, as it was given.
        day: last day of the window.
        days: UTC days with rows in the window.
        status: place in STATUSES of each row, shape (n,), in the order given.
        weight: how much each row counted, 0 to 1: the probability that it is normal. Shape (n,).
        counts: rows by status.
        held: sustained episodes left out of the line, for a person to look at, longest first.
        longest_normal: rows that a cluster of normal rows spans at most, as measured.
        level: median score of the newest month in the window.
        step: relative move from the line that is live.
        total: relative move from the anchor.
        growth: relative growth of the level in 30 days, on average since the anchor.
        stops: bounds that were crossed; the gate refuses while there are any.
        stale: sentence for a person when the live line has not moved for too long; empty if not.
    """

    threshold: ThresholdEstimate
    anchor: Anchor
    day: date
    days: int
    status: NDArray[np.int8]
    weight: Scores
    counts: dict[str, int]
    held: tuple[Episode, ...]
    longest_normal: int
    level: float
    step: float
    total: float
    growth: float
    stops: tuple[Stop, ...]
    stale: str


def accepted_anchor(result: Recalibrated) -> Anchor:
    """The anchor once a reviewer has accepted the new line: moves count from it."""
    return Anchor(result.threshold.value, result.level, result.day, moved=result.day)


def unforced_anchor(result: Recalibrated) -> Anchor:
    """The anchor once the new line went live without a stop: the same, the line has moved."""
    old = result.anchor
    return Anchor(old.threshold, old.level, old.day, moved=result.day)
