"""Input and result of a recalibration: plain records, no storage and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Episode, Timeline
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.recalibration.degradation import Degradation

Scores = NDArray[np.float64]
StopName = Literal["step", "total", "creep", "degradation"]

STATUSES = ("confirmed", "presumed", "suspect", "incident", "held", "excluded")
"""Status of a row of the window; `Recalibrated.status` holds indices into this tuple.

confirmed: labelled normal. presumed: unlabelled and not flagged. suspect: flagged, unlabelled.
incident: labelled incident. held: part of a cluster longer than those of normal rows, or of a day
with more flags than normal days have. excluded: muted, or partial.
"""


@dataclass(frozen=True)
class WindowRows:
    """The scored rows of the rolling window, in any order.

    Attributes:
        timeline: time and entity of each row.
        score: shape (n,), in units of the score.
        threshold: the threshold in force at each row, shape (n,).
        verdict: latest label of each row, shape (n,): 0 none, 1 incident, 2 normal.
        excluded: muted, partial or in an open shift, shape (n,): no evidence about the usual score.
        audit: probability with which the row's episode was sampled for audit, shape (n,); NaN
            where it was not sampled.
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
class KeptScores:
    """Scores of normal rows that a bundle keeps.

    Attributes:
        score: shape (n,).
        timeline: times and entities; None where rows have no time.
    """

    score: Scores
    timeline: Timeline | None


@dataclass(frozen=True)
class Memory:
    """What the live version remembers.

    Attributes:
        trained: calibration rows of the training, of which none were held back by a threshold.
        accepted: rows of the last accepted state: of the training, or of the recalibration whose
            move a person has accepted since.
    """

    trained: KeptScores
    accepted: KeptScores


@dataclass(frozen=True)
class Anchor:
    """The point that moves are measured from: the training, or what a reviewer accepted since.

    Attributes:
        threshold: the threshold at that point.
        level: median score then: of all calibration rows, `calibration.quantiles["0.5"]`.
        day: last day of the rows that it was estimated from.
        moved: day on which the live threshold last changed its value; after training: `day`.
    """

    threshold: float
    level: float
    day: date
    moved: date


@dataclass(frozen=True)
class Stop:
    """A bound that was crossed: nothing goes live before a person has decided.

    Attributes:
        name: name of the bound.
        value: the relative change: 0.2 is 20 % up.
        limit: the change that is allowed without asking.
        reason: one sentence for the reviewer.
    """

    name: StopName
    value: float
    limit: float
    reason: str


@dataclass(frozen=True)
class Recalibrated:
    """A recalibrated threshold, the evidence for it, and the bounds that stop its promotion.

    Attributes:
        threshold: the new threshold. It does not go live by itself: see `stops`.
        anchor: the anchor that the moves below are measured from, as it was given.
        day: last day of the window.
        days: number of UTC days with rows in the window.
        status: index into STATUSES for each row, shape (n,), in the order given.
        weight: weight of each row, 0 to 1: the probability that it is normal. Shape (n,).
        counts: number of rows by status.
        held: what is left out of the estimate, for a person to look at: sustained episodes,
            longest first, then dense days, likewise.
        longest_normal: most rows that a cluster of normal rows spans, as measured.
        level: median score of the newest month in the window.
        step: relative move from the live threshold.
        total: relative move from the anchor.
        growth: relative growth of the level in 30 days, on average since the anchor or over the
            last three months, whichever is greater.
        degradation: the growth since the accepted state, where it is more than chance.
        raised: sentence for a person when the threshold has risen by more than a tenth since the
            accepted state, in however small steps; else empty.
        stops: bounds that were crossed; the gate refuses while there are any.
        stale: sentence for a person when the live threshold has not moved for too long; else empty.
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
    degradation: Degradation | None
    raised: str
    stops: tuple[Stop, ...]
    stale: str


def accepted_anchor(result: Recalibrated) -> Anchor:
    """The anchor after a reviewer accepted the new threshold: moves are measured from it."""
    return Anchor(result.threshold.value, result.level, result.day, moved=result.day)


def unforced_anchor(result: Recalibrated) -> Anchor:
    """The anchor after the new threshold went live without a stop: unchanged but for `moved`."""
    old = result.anchor
    return Anchor(old.threshold, old.level, old.day, moved=result.day)
