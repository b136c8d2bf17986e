"""Two detectors on the same injected faults, episode by episode.

Both are given the same rows, places and signs. What only one of them catches tells them apart; what
both catch or both miss says nothing (McNemar 1947). The difference is taken over all sizes of a
kind, so that one grade more or less counts as what it is, and episodes at one place count together,
because channels share places: its error is that of the sums of the places.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.evaluation.faults import FAULTS
from pipeline.evaluation.injection import CAUGHT, UNPLANTED, FaultOutcome

_LEVEL = 0.95


@dataclass(frozen=True)
class FaultLoss:
    """How many faults of one kind a candidate catches less often than the champion.

    Attributes:
        episodes: that both were given.
        lost: caught by the champion alone.
        gained: caught by the candidate alone.
        share: (lost - gained) / episodes.
        surely: its lower 95 % bound; above 0 the candidate catches significantly less.
    """

    episodes: int
    lost: int
    gained: int
    share: float
    surely: float


def fault_losses(
    candidate: Sequence[FaultOutcome], champion: Sequence[FaultOutcome]
) -> dict[str, FaultLoss]:
    """The loss of each kind that both were given; the two must come from the same episodes.

    Raises:
        ValueError: one of them has more places than the other.
    """
    before = {(each.kind, each.size, each.channel): each.marks for each in champion}
    by_place: dict[str, dict[tuple[float, int], list[int]]] = defaultdict(dict)
    for each in candidate:
        marks = before.get((each.kind, each.size, each.channel))
        if marks is None:
            continue
        if len(marks) != len(each.marks):
            msg = f"{each.kind} was injected at {len(each.marks)} places and at {len(marks)}"
            raise ValueError(msg)
        length = each.size if FAULTS[each.kind].rows is None else 0.0  # other places by length
        for place, (now, then) in enumerate(zip(each.marks, marks, strict=True)):
            if UNPLANTED in (now, then):
                continue
            tally = by_place[each.kind].setdefault((length, place), [0, 0, 0])
            tally[0] += 1
            tally[1] += then == CAUGHT and now != CAUGHT
            tally[2] += now == CAUGHT and then != CAUGHT
    return {kind: _loss(list(places.values())) for kind, places in by_place.items()}


def _loss(places: list[list[int]]) -> FaultLoss:
    tried, lost, gained = np.array(places).T
    total, count = int(tried.sum()), len(places)
    share = float(lost.sum() - gained.sum()) / total
    error = 0.0
    if count > 1:
        squares = float((((lost - gained) - share * tried) ** 2).sum())
        error = math.sqrt(squares * count / (count - 1)) / total
    margin = float(stats.t.ppf(_LEVEL, max(count - 1, 1))) * error
    return FaultLoss(total, int(lost.sum()), int(gained.sum()), share, share - margin)
