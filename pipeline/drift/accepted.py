"""The last accepted state beside the present reference, and what carries a rise beyond it.

A recalibration replaces the reference by rows of its own window, so what grows slowly is in the
next reference already. The rows of the state that a training or a person has accepted stay in the
bundle, and the live bundle scores them again to see which channels have grown since.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.channels import channels
from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Mask, subset
from pipeline.detector.bundle.bundle import Bundle
from pipeline.drift.carriers import (
    Carriers,
    GrownErrors,
    ScoredTimeline,
    Vector,
    carrying_channels,
    carrying_machines,
    grown_errors,
)
from pipeline.drift.comparison import Sample, without
from pipeline.drift.repairs import FEWEST_DAYS, Repair, repair_of
from pipeline.evaluation.rate import highest_agreeing, log_score
from pipeline.scoring import score_values
from pipeline.utc_day import DAY_NS


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
        return Carriers(
            carrying_channels(self.contributions, self._contributions(current), self._names),
            carrying_machines(_scored(self.sample), _scored(current)),
        )

    def growth(self, current: Sample) -> Vector:
        """Mean error of each channel on most days, in times that of this state, shape (c,).

        Of most days, the median: a day of an incident is no change of the plant. 0 where `current`
        has rows of too few days to say.
        """
        growth = np.zeros(len(self._names))
        if len(np.unique(current.timeline.time_ns // DAY_NS)) < FEWEST_DAYS:
            return growth
        errors, days = self._errors(current)
        by_day = [errors[days == day].mean(axis=0) for day in np.unique(days)]
        if len(by_day) < FEWEST_DAYS:
            return growth
        before = self.contributions
        np.divide(np.median(by_day, axis=0), before, out=growth, where=before > 0)
        return growth

    def relations(self, current: Sample, apart: str) -> tuple[Repair | None, GrownErrors]:
        """The repair that undoes most of a rise, and channels that the others explain far worse.

        What has grown on the machine `apart` is an incident of its own; a repair is tried on it.
        """
        growth = self.growth(current)
        repair = repair_of(self.bundle, self.columns, current, self.sample, growth.tolist())
        if apart:
            growth = self.growth(without(current, apart))
        return repair, grown_errors(growth, self._names)

    @property
    def _names(self) -> list[str]:
        return [channel.name for channel in channels(self.columns)]

    def _contributions(self, sample: Sample) -> Vector:
        errors, _ = self._errors(sample)
        return errors.mean(axis=0) if len(errors) else np.full(errors.shape[1], np.nan)

    def _errors(self, sample: Sample) -> tuple[Vector, NDArray[np.int64]]:
        """Contribution of each channel to the scores of whole rows, (n, c), and their days."""
        usable = self._usable(sample)
        timeline = subset(sample.timeline, usable)
        found = score_values(
            self.bundle, sample.features[usable], timeline if self.bundle.needs_timeline else None
        )
        counted = found.complete & _unmuted(sample)[usable]
        by_feature = found.error[counted]
        of_channels = [
            by_feature[:, list(each.columns)].sum(axis=1, dtype=np.float64)
            for each in channels(self.columns)
        ]
        return np.column_stack(of_channels), timeline.time_ns[counted] // DAY_NS

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
