"""The smallest fault that a detector catches, kind by kind, and how sure that is.

Channels share the places of their episodes: a hectic hour hides faults in all of them. So episodes
at one place count together, and an interval counts what they are worth in independent ones
(Kish 1965: the design effect), but never fewer than there are places.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.coverage import clopper_pearson
from pipeline.evaluation.injection import CAUGHT, MISSED, FaultOutcome, minimum_detectable


@dataclass(frozen=True)
class CaughtShare:
    """The share of episodes of one kind and size that was caught.

    Attributes:
        size: in the kind's unit.
        share: of all episodes, over all channels.
        low: lower end of its 95 % interval.
        high: upper end.
        episodes: how many there were.
    """

    size: float
    share: float
    low: float
    high: float
    episodes: int


@dataclass(frozen=True)
class Detectable:
    """The smallest fault of one kind that counts as detectable.

    Attributes:
        smallest: size from which on enough is caught; None: at no size.
        low: size from which on it may be, by the upper ends of the intervals; None: at no size.
        high: size from which on it surely is, by their lower ends; None: at no size.
        at_limit: what is caught at the largest size that the limit allows.
    """

    smallest: float | None
    low: float | None
    high: float | None
    at_limit: CaughtShare


def detectable(
    outcomes: Sequence[FaultOutcome], *, share: float, limits: Mapping[str, float]
) -> dict[str, Detectable]:
    """What of each kind is detectable: at least `share` is caught.

    A kind without a limit is judged at its largest size; a limit below every size at the smallest.
    """
    smallest = minimum_detectable(tuple(outcomes), share=share)
    found: dict[str, Detectable] = {}
    for kind, by_size in _caught_shares(outcomes).items():
        allowed = [size for size in by_size if size <= limits.get(kind, math.inf)]
        found[kind] = Detectable(
            smallest=smallest[kind],
            low=_from(by_size, {size: each.high for size, each in by_size.items()}, share),
            high=_from(by_size, {size: each.low for size, each in by_size.items()}, share),
            at_limit=by_size[max(allowed, default=min(by_size))],
        )
    return found


def _from(
    sizes: Mapping[float, CaughtShare], end: Mapping[float, float], share: float
) -> float | None:
    """The size from which on one end of the intervals reaches `share`."""
    reached = None
    for size in sorted(sizes, reverse=True):
        if end[size] < share:
            break
        reached = size
    return reached


def _caught_shares(outcomes: Sequence[FaultOutcome]) -> dict[str, dict[float, CaughtShare]]:
    shares: dict[str, dict[float, CaughtShare]] = {}
    for kind, size in dict.fromkeys((each.kind, each.size) for each in outcomes):
        same = [each for each in outcomes if (each.kind, each.size) == (kind, size)]
        caught = np.array([[mark == CAUGHT for mark in each.marks] for each in same])
        planted = caught | np.array([[mark == MISSED for mark in each.marks] for each in same])
        if planted.any():
            hits, tried = caught.sum(axis=0), planted.sum(axis=0)
            share = float(hits.sum() / tried.sum())
            low, high = clopper_pearson(share, _worth(hits, tried))
            each_share = CaughtShare(size, share, low, high, int(tried.sum()))
            shares.setdefault(kind, {})[size] = each_share
    return shares


def _worth(hits: NDArray[np.integer], tried: NDArray[np.integer]) -> float:
    """Independent episodes that those at shared places are worth; shape (places,) each."""
    places, total = int((tried > 0).sum()), float(tried.sum())
    share = float(hits.sum()) / total
    independent = share * (1 - share) / total
    if places < 2 or independent == 0:  # noqa: PLR2004 - one place shows no scatter
        return float(places)
    scatter = float(((hits - share * tried) ** 2).sum()) / total**2 * places / (places - 1)
    return float(np.clip(total * independent / scatter if scatter else total, places, total))
