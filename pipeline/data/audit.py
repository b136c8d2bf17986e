"""Random sampling of the episodes that a person is asked to label (audits). Pure.

People label what looks bad. Those labels say nothing about flags that nobody looked at, and a
threshold estimated from them is biased towards conspicuous episodes: the long, the steep and the
known. A random sample has no such bias. Every episode of flags has the same probability of being
sampled: the short ones above all, because nobody would look at them otherwise, and labelled ones
too, because leaving them out would make the sample depend on who labelled what. An episode sampled
with probability p then counts as 1/p episodes (Horvitz and Thompson, 1952).

The random number is a hash, not the output of a generator: it depends on the detector, the month
and the episode only. A rerun, a backfill in any order and a rolling window that contains an episode
twice all give the same sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline, rows_within

_BITS = 53  # as many as a float holds, so that every number is below 1


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

    Of two audits of one incident the later one in `audits` counts: a larger sample was taken
    since.
    """
    found = np.full(len(timeline), np.nan)
    for audit, rows in zip(audits, rows_within(timeline, audits), strict=True):
        found[rows] = audit.probability
    return found


class Flagged(Protocol):
    """An episode of flagged rows: an incident, or one that is too short to be an incident."""

    @property
    def id(self) -> str:
        """Its unique name."""

    @property
    def entity(self) -> str:
        """The machine; empty where there is only one."""

    @property
    def start(self) -> datetime:
        """First flagged row, UTC."""

    @property
    def end(self) -> datetime:
        """Last flagged row."""


def sample_audits(
    detector: str, episodes: Iterable[Flagged], share: float, *, now: datetime
) -> tuple[Audit, ...]:
    """The sampled episodes, each with probability `share`, independently of all others.

    An episode belongs to the month in which it starts. The sample of a larger share contains that
    of a smaller one.
    """
    return tuple(
        Audit(each.id, each.entity, each.start, each.end, share, now)
        for each in episodes
        if uniform_number(detector, each) < share
    )


def uniform_number(detector: str, episode: Flagged) -> float:
    """A number in [0, 1), uniform over episodes, the same in every run."""
    name = f"{detector}|{episode.start:%Y-%m}|{episode.id}"
    digest = hashlib.sha256(name.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / (1 << _BITS)
