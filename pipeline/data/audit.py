"""An audit: an episode of flags that was sampled at random to be labelled. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline


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
    order = np.argsort(timeline.time_ns, kind="stable")
    time_ns = timeline.time_ns[order]
    number = {name: position for position, name in enumerate(timeline.names)}
    for audit in audits:
        begin = np.searchsorted(time_ns, pd.Timestamp(audit.start).value, "left")
        end = np.searchsorted(time_ns, pd.Timestamp(audit.end).value, "right")
        rows = order[begin:end]
        found[rows[timeline.entity[rows] == number.get(audit.entity, -1)]] = audit.probability
    return found
