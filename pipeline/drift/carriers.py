"""Which channels and machines carry a rise of the score beyond the accepted state. Pure.

A channel carries what its mean contribution to the score has grown by. Named are the fewest that
together carry most of the growth, so that a network that spreads the error of one channel over its
neighbours does not blame all of them. A machine is named where more of its rows are high than its
own accepted rows allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Timeline, subset
from pipeline.evaluation.rate import highest_agreeing

Vector = NDArray[np.float64]

_MOST_OF_IT = 0.8  # of the growth of all channels that have grown
_MOST_NAMED = 5
_GROWN = 4.0  # times; 36 quiet weeks of the made plant reached 1.9, a season of La Haute Borne 3.1
_LEVELS = (
    0.9,
    0.99,
)  # quantiles of a machine's accepted scores: what raises all rows, and what some
_FEWEST_ROWS = 30  # of a machine in the accepted state; of fewer, all machines speak for it


@dataclass(frozen=True)
class Carriers:
    """What carries a rise.

    Attributes:
        channels: those that carry most of it, the one that carries most first.
        machines: those with more high rows than before; none: no named one, or one has no name.
    """

    channels: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """`oil, heat of pump b`; empty where nothing is named."""
        channels, machines = ", ".join(self.channels), ", ".join(self.machines)
        return f"{channels or 'the score'} of {machines}" if machines else channels


NOBODY = Carriers()


@dataclass(frozen=True)
class GrownError:
    """A channel that the others explain far worse than in the accepted state, on most days.

    Attributes:
        channel: its name.
        times: its mean error, in times that of the accepted state.
    """

    channel: str
    times: float


GrownErrors = tuple[GrownError, ...]


def grown_errors(growth: Vector, names: Sequence[str]) -> GrownErrors:
    """The channels whose error is four times the one before or more, the largest growth first."""
    order = np.argsort(-growth, kind="stable")
    return tuple(GrownError(names[at], float(growth[at])) for at in order if growth[at] >= _GROWN)


@dataclass(frozen=True)
class ScoredTimeline:
    """Scores with the time and machine of their rows, shape (n,)."""

    score: NDArray[np.floating]
    timeline: Timeline


def carrying_channels(before: Vector, after: Vector, names: Sequence[str]) -> tuple[str, ...]:
    """The fewest channels with 80 % of the growth, at most five, the largest first.

    Args:
        before: mean contribution of each channel to the accepted scores, shape (c,).
        after: the same of the later rows.
        names: of the channels.
    """
    growth = np.maximum(after - before, 0.0)
    total = float(growth.sum())
    if not total > 0:  # NaN where there are no rows
        return ()
    order = np.argsort(-growth, kind="stable")
    enough = int(np.searchsorted(np.cumsum(growth[order]), _MOST_OF_IT * total)) + 1
    return tuple(names[at] for at in order[: min(enough, _MOST_NAMED)])


def carrying_machines(accepted: ScoredTimeline, current: ScoredTimeline) -> tuple[str, ...]:
    """The named machines with more high rows than their own accepted rows allow (97.5 %).

    Rows above the 90 % quantile of a machine's accepted scores count; where they name nobody, those
    above the 99 % quantile.
    """
    if not len(accepted.score):
        return ()
    for level in _LEVELS:
        found = tuple(
            name
            for place, name in enumerate(current.timeline.names)
            if name and _is_higher(_of(accepted, name), current, place, level)
        )
        if found:
            return found
    return ()


def _is_higher(accepted: ScoredTimeline, current: ScoredTimeline, place: int, level: float) -> bool:
    mine = current.timeline.entity == place
    if not mine.any():
        return False
    value = float(np.quantile(accepted.score, level))
    highest = highest_agreeing(
        float((accepted.score > value).mean()),
        effective_rows(accepted.score, accepted.timeline),
        effective_rows(current.score[mine], subset(current.timeline, mine)),
    )
    return float((current.score[mine] > value).mean()) > highest


def _of(accepted: ScoredTimeline, name: str) -> ScoredTimeline:
    """The accepted rows of a machine, or all where it has too few."""
    names = accepted.timeline.names
    own = accepted.timeline.entity == (names.index(name) if name in names else -1)
    if own.sum() < _FEWEST_ROWS:
        return accepted
    return ScoredTimeline(accepted.score[own], subset(accepted.timeline, own))
