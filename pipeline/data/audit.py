"""An audit: an episode of flags that was sampled at random to be labelled. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline, rows_within


@dataclass(frozen=True)
class Audit:
    """One sampled episode.

    Attributes:
        incident: its id, by which it is labelled.
        entity: which machine; empty where there is one.
        start: first flagged row, UTC.
        end: last flagged row.
        probability: with which it was sampled, in (0, 1]; its inverse is its weight in estimates.
        proposed_at: when it was proposed for labelling.
    """

    incident: str
    entity: str
    start: datetime
    end: datetime
    probability: float
    proposed_at: datetime


def probabilities(timeline: Timeline, audits: Sequence[Audit]) -> NDArray[np.float64]:
    """For each row the probability with which its episode was sampled; NaN outside of all, (n,).

    Of two audits of one incident the later one in `audits` counts: a larger sample was drawn
    since.
    """
    found = np.full(len(timeline), np.nan)
    for audit, rows in zip(audits, rows_within(timeline, audits), strict=True):
        found[rows] = audit.probability
    return found
