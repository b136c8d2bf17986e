"""Replay: candidate and champion compared on the same rows of the last month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from pipeline.data.timeline import Timeline
from pipeline.evaluation.metrics import alerts


@dataclass(frozen=True)
class Replayed:
    """The scores of one detector for the replayed rows, shape (n,), and its threshold."""

    score: NDArray[np.float32]
    threshold: float

    @property
    def excess(self) -> NDArray[np.float64]:
        """Score in units of the threshold, whatever the score's own unit: 1.0 is the threshold."""
        return self.score.astype(np.float64) / self.threshold


@dataclass(frozen=True)
class ChangedRow:
    """A row that only one of the two flags; scores in units of each one's threshold."""

    time: str
    entity: str
    candidate: float
    champion: float


@dataclass(frozen=True)
class Replay:
    """Differences between candidate and champion, for the reviewer.

    Attributes:
        days: number of UTC days replayed.
        alerts_per_day: alerts that the candidate would have raised.
        champion_alerts_per_day: alerts of the champion on the same rows.
        gained: rows that only the candidate flags.
        lost: rows that only the champion flags.
        rank_agreement: Spearman correlation of the two scores; None when one is constant.
        changed: the rows whose flag changed and whose score moved most.
    """

    days: int
    alerts_per_day: float
    champion_alerts_per_day: float
    gained: int
    lost: int
    rank_agreement: float | None
    changed: tuple[ChangedRow, ...]


def replay(
    timeline: Timeline, candidate: Replayed, champion: Replayed, *, most: int = 10
) -> Replay:
    """Compare two detectors on the rows of `timeline`; at most `most` changed rows are listed."""
    new, old = candidate.excess, champion.excess
    gained, lost = (new > 1) & (old <= 1), (old > 1) & (new <= 1)
    days = max(1, timeline.days)
    return Replay(
        days=timeline.days,
        alerts_per_day=alerts(new > 1, timeline) / days,
        champion_alerts_per_day=alerts(old > 1, timeline) / days,
        gained=int(gained.sum()),
        lost=int(lost.sum()),
        rank_agreement=_rank_agreement(new, old),
        changed=_most_changed(timeline, new, old, gained | lost, most),
    )


def _rank_agreement(new: NDArray[np.float64], old: NDArray[np.float64]) -> float | None:
    if len(new) < 2 or np.ptp(new) == 0 or np.ptp(old) == 0:  # noqa: PLR2004 - no rank in one row
        return None
    return float(stats.spearmanr(new, old).statistic)


def _most_changed(
    timeline: Timeline,
    new: NDArray[np.float64],
    old: NDArray[np.float64],
    flipped: NDArray[np.bool_],
    most: int,
) -> tuple[ChangedRow, ...]:
    rows = np.flatnonzero(flipped)
    rows = rows[np.argsort(-np.abs(new[rows] - old[rows]), kind="stable")[:most]]
    return tuple(
        ChangedRow(
            time=pd.Timestamp(timeline.time_ns[row], tz="UTC").isoformat(),
            entity=timeline.names[timeline.entity[row]],
            candidate=float(new[row]),
            champion=float(old[row]),
        )
        for row in rows
    )
