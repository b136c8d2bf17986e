"""The last accepted state beside the present reference, and what carries a rise beyond it.

A recalibration replaces the reference by rows of its own window, so what grows slowly is in the
next reference already. The rows of the state that a training or a person has accepted stay in the
bundle, and the live bundle scores them again to see which channels have grown since.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.config import Columns
from pipeline.data.channels import channels
from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Mask, subset
from pipeline.detector.bundle.bundle import Bundle
from pipeline.drift.carriers import (
    Carriers,
    ScoredTimeline,
    Vector,
    carrying_channels,
    carrying_machines,
)
from pipeline.drift.comparison import Sample
from pipeline.evaluation.rate import highest_agreeing, log_score
from pipeline.scoring import score_values


@dataclass(frozen=True)
class AcceptedRows:
    """The rows of the last accepted state, and the bundle that scores now.

    Attributes:
        bundle: the live bundle.
        columns: those that it was fitted with.
        sample: the rows of the accepted state.
    """

    bundle: Bundle
    columns: Columns
    sample: Sample

    @cached_property
    def contributions(self) -> Vector:
        """Mean contribution of each channel to the score, shape (c,); NaN without rows."""
        return self._contributions(self.sample)

    @cached_property
    def flagged(self) -> float:
        """The share of these rows above the present threshold."""
        return float((self.sample.score > self.bundle.threshold).mean())

    @cached_property
    def worth(self) -> float:
        """The number of independent rows among them."""
        return effective_rows(log_score(self.sample.score), self.sample.timeline)

    def highest_rate(self, rows: float) -> float:
        """The highest flag rate on `rows` effective rows that agrees with this state (97.5 %)."""
        return highest_agreeing(self.flagged, self.worth, rows)

    def carriers(self, current: Sample) -> Carriers:
        """The channels and machines of later rows that carry a rise beyond this state."""
        names = [channel.name for channel in channels(self.columns)]
        return Carriers(
            carrying_channels(self.contributions, self._contributions(current), names),
            carrying_machines(_scored(self.sample), _scored(current)),
        )

    def _contributions(self, sample: Sample) -> Vector:
        usable = self._usable(sample)
        timeline = subset(sample.timeline, usable) if self.bundle.needs_timeline else None
        found = score_values(self.bundle, sample.features[usable], timeline)
        counted = found.complete & _unmuted(sample)[usable]
        if not counted.any():
            return np.full(len(channels(self.columns)), np.nan)
        by_feature = found.error[counted].mean(axis=0, dtype=np.float64)
        return np.array([by_feature[list(each.columns)].sum() for each in channels(self.columns)])

    def _usable(self, sample: Sample) -> Mask:
        """The rows that the bundle can score."""
        missing = np.isnan(sample.features)
        if not self.bundle.schema.takes_missing:
            return np.asarray(~missing.any(axis=1))
        judged = np.array(self.bundle.schema.judged, dtype=bool)
        return np.asarray(~missing[:, judged].all(axis=1))


def _scored(sample: Sample) -> ScoredTimeline:
    """The scores to which no channel was muted."""
    known = np.isfinite(sample.score) & _unmuted(sample)
    return ScoredTimeline(sample.score[known], subset(sample.timeline, known))


def _unmuted(sample: Sample) -> Mask:
    if sample.muted is None:
        return np.ones(len(sample.score), dtype=bool)
    return np.asarray(~sample.muted.any(axis=1))
