"""Whether the newest promotion is inside its limits on the days that it has served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Promotion
from pipeline.detector.bundle.bundle import Bundle
from pipeline.ledger import Decision

_MEDIAN = "0.5"  # among the calibration quantiles of a bundle
_ENOUGH = 0.5  # of a partition's rows must be scored with every channel, or it does not count


@dataclass(frozen=True)
class Partition:
    """The flags and scores of one version on one day.

    Attributes:
        day: the UTC day.
        flagged: share of its rows that are flagged.
        level: median score, in units of the median of the version's calibration rows.
    """

    day: date
    flagged: float
    level: float

    def fault(self, limits: Promotion) -> str:
        """The limit that is exceeded; empty when none is."""
        if self.flagged > limits.watch_alert_rate:
            return f"{self.flagged:.0%} of rows flagged (limit {limits.watch_alert_rate:.0%})"
        ratio = limits.watch_score_ratio
        if not 1 / ratio <= self.level <= ratio:
            return f"scores {self.level:.2g} x as high as calibrated (limit {ratio:g}, either way)"
        return ""


def behaviour(bundle: Bundle, day: date, score: NDArray[np.floating], flag: int) -> Partition:
    """The partition of a version on a day, from its finite scores and the number of flags."""
    usual = bundle.description.calibration.quantiles[_MEDIAN]
    level = float(np.median(score)) / usual if usual > 0 else 1.0
    return Partition(day, flag / len(score), level)


def partition_of(bundle: Bundle, day: date, rows: pd.DataFrame) -> Partition:
    """The partition of a version on a day, from its rows of the table `scores`.

    Inside all limits where too few rows were scored with every channel.
    """
    whole = rows[rows["muted"].fillna("").eq("") & ~rows["partial"].eq(other=True)]
    if len(whole) < _ENOUGH * len(rows):
        return Partition(day, 0.0, 1.0)
    flags = int(whole["flag"].fillna(value=False).astype(bool).sum())
    return behaviour(bundle, day, whole["score"].to_numpy(), flags)


def not_watched(limits: Promotion, done: Sequence[Decision], live: int | None) -> str:
    """Why there is nothing to watch; empty when there is.

    Args:
        limits: of the watch.
        done: the changes of champion, oldest first.
        live: the live version; None: nothing is live.
    """
    if live is None:
        return "nothing is live"
    if not limits.watch_partitions:
        return "promotion.watch_partitions is 0"
    if not done or (done[-1].action, done[-1].version) != ("promotion", live):
        return f"version {live} did not go live by the newest promotion"
    if any(each.action == "rollback" and each.replaced == live for each in done):
        return f"version {live} was rolled back before, and a person brought it back"
    return ""
