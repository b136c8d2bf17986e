"""Which episodes of flags a person is asked to label, and with which probability. Pure.

People label what looks bad. Those labels say nothing about the flags that nobody looked at, and a
threshold drawn from them is biased towards whatever catches the eye: the long, the steep and the
known. A random sample has no such preference. Every episode of flags has the same chance to be
drawn, short ones first of all because nobody would look at them by himself, and labelled ones too,
because leaving them out would make the sample depend on who labelled what. An episode drawn
with probability p then stands for 1/p episodes (Horvitz and Thompson, 1952).

The lot is a hash and not a generator: it depends on the detector, the month and the episode, and on
nothing else. A rerun, a backfill in any order and a rolling window that meets an episode twice all
draw the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from pipeline.data.audit import Audit

_BITS = 53  # as many as a float holds: all lots are below 1


class Flagged(Protocol):
    """An episode of flagged rows: what an incident is, and what is too short to be one."""

    @property
    def id(self) -> str:
        """Tells it apart."""

    @property
    def entity(self) -> str:
        """Which machine; empty where there is one."""

    @property
    def start(self) -> datetime:
        """First flagged row, UTC."""

    @property
    def end(self) -> datetime:
        """Last flagged row."""


def sample_audits(
    detector: str, episodes: Iterable[Flagged], share: float, *, now: datetime
) -> tuple[Audit, ...]:
    """The episodes that are drawn, each with probability `share` and apart from all others.

    An episode belongs to the month in which it starts. With a larger share the episodes drawn with
    a smaller one are among those that are drawn.
    """
    return tuple(
        Audit(each.id, each.entity, each.start, each.end, share, now)
        for each in episodes
        if lot(detector, each) < share
    )


def lot(detector: str, episode: Flagged) -> float:
    """A number in [0, 1), uniform over episodes, that every run computes alike."""
    name = f"{detector}|{episode.start:%Y-%m}|{episode.id}"
    digest = hashlib.sha256(name.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / (1 << _BITS)
