"""Rows to compare: a bundle's own, and those of other days, with the verdicts on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.data.grid import day_number
from pipeline.data.label import INCIDENT, Label, verdicts
from pipeline.data.split import normal_rows
from pipeline.data.timeline import subset, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.calibration.kept_rows import Reference
from pipeline.detector.inputs.frames import feature_values
from pipeline.drift import ACCEPTED, Baseline, DriftVerdict, Sample, baseline, judge
from pipeline.drift.accepted import AcceptedRows
from pipeline.drift.comparison import select_rows, without
from pipeline.drift.diagnosis import may_be_beyond
from pipeline.drift.verdict import entity_apart, with_evidence
from pipeline.errors import BundleError
from pipeline.evaluation.rate import RealisedRate, realised_rate
from pipeline.scoring import score_rows
from pipeline.utc_day import ONE_DAY, end_of

Period = Literal["day", "week"]
"""What a verdict is about: one day, or the rolling week up to it."""


def sample_of(bundle: Bundle, frame: pd.DataFrame, columns: Columns) -> Sample:
    """Features and scores of the normal rows in `frame`, to compare with a bundle's reference."""
    scored = score_rows(bundle, frame)
    kept = np.flatnonzero(scored.complete & normal_rows(frame, columns))
    return Sample(
        timeline=subset(timeline_from(frame, columns), kept),
        features=feature_values(frame, bundle.schema)[kept],
        score=scored.score[kept].astype(np.float32),
    )


@dataclass(frozen=True)
class TwoMemories:
    """What a bundle remembers, prepared once, however many days are compared with it.

    Attributes:
        baseline: its reference, and the score of the last accepted state.
        accepted: the rows of that state.
    """

    baseline: Baseline
    accepted: AcceptedRows


def remembered(bundle: Bundle, spec: DetectorSpec) -> TwoMemories:
    """What `bundle` remembers; `spec` has the columns that it was fitted with.

    Raises:
        BundleError: it was fitted on rows without time.
    """
    accepted = accepted_rows(bundle, spec.columns)
    known = baseline(reference_sample(bundle), spec.columns, spec.drift, accepted.sample)
    return TwoMemories(known, accepted)


def accepted_rows(bundle: Bundle, columns: Columns) -> AcceptedRows:
    """The rows of the last accepted state; `columns` are those that `bundle` was fitted with.

    Raises:
        BundleError: it was fitted on rows without time.
    """
    return AcceptedRows(bundle, columns, _with_time(bundle, bundle.accepted_reference()))


def reference_sample(bundle: Bundle) -> Sample:
    """The bundle's own reference as a sample.

    Raises:
        BundleError: it was fitted on rows without time.
    """
    return _with_time(bundle, bundle.reference())


def _with_time(bundle: Bundle, reference: Reference) -> Sample:
    if reference.timeline is None:
        msg = (
            f"{bundle.folder}: its reference rows have no time, so correlated neighbours cannot "
            "be thinned; fit it with a detector file that names schema.timestamp."
        )
        raise BundleError(msg)
    return Sample(reference.timeline, reference.features, reference.score)


@dataclass(frozen=True)
class ObservedRows:
    """Rows of several days with their scores by the live version.

    Attributes:
        sample: the rows, by time.
        day: day number of each row, ascending.
        labels: all labels that were made by the end of the last day, oldest first.
    """

    sample: Sample
    day: NDArray[np.int64]
    labels: tuple[Label, ...]

    def between(self, first: date, last: date) -> Sample:
        """The evidence on these days, both included, at the end of `last`."""
        begin = np.searchsorted(self.day, day_number(first), "left")
        end = np.searchsorted(self.day, day_number(last), "right")
        rows = np.arange(begin, end)
        as_of = end_of(last)
        known = [label for label in self.labels if label.created_at <= as_of]
        if known:
            timeline = subset(self.sample.timeline, rows)
            rows = rows[verdicts(timeline, known) != INCIDENT]
        return select_rows(self.sample, rows)

    def days_between(self, first: date, last: date) -> int:
        """The number of these days with rows."""
        present = np.unique(self.day)
        return int(((present >= day_number(first)) & (present <= day_number(last))).sum())


def verdicts_of_days(
    spec: DetectorSpec,
    bundle: Bundle,
    known: TwoMemories,
    days: Sequence[date],
    rows: ObservedRows | None,
) -> Iterator[tuple[tuple[date, Period], DriftVerdict | None]]:
    """Verdicts of the days, of the day after them, and of every week with one of these."""
    length = spec.drift.rolling_days
    for offset in range(len(days) + length):
        end = days[0] + offset * ONE_DAY
        start = end - (length - 1) * ONE_DAY
        present = rows is not None and rows.days_between(end, end) > 0
        if rows is None or not present:
            yield (end, "week"), None
            if offset <= len(days):
                yield (end, "day"), None
            continue
        if offset <= len(days):
            yield (end, "day"), verdict_of(known, rows.between(end, end), spec, bundle)
        enough = 2 * rows.days_between(start, end) > length
        of_week = verdict_of(known, rows.between(start, end), spec, bundle) if enough else None
        yield (end, "week"), of_week


def verdict_of(
    known: TwoMemories, sample: Sample, spec: DetectorSpec, bundle: Bundle
) -> DriftVerdict | None:
    """The verdict on rows, with what carries a rise of the score; None without rows."""
    if not len(sample.timeline):
        return None
    threshold = bundle.description.threshold
    apart = entity_apart(sample.score > threshold.value, sample.timeline) or ""
    heard = without(sample, apart) if apart else sample
    rate = _rate(heard, bundle)
    found = judge(
        known.baseline,
        sample,
        columns=spec.columns,
        limits=spec.drift,
        rate=rate,
        accepted_rate=_accepted_rate(known, rate),
        apart=apart,
    )
    repair, grown = known.accepted.relations(sample, apart)
    evidence = replace(found.evidence, repair=repair, grown=grown)
    found = with_evidence(found, evidence, spec.columns)
    if not may_be_beyond(found):
        return found
    carriers = known.accepted.carriers(heard)
    return with_evidence(found, replace(evidence, carriers=carriers), spec.columns)


def _accepted_rate(known: TwoMemories, rate: RealisedRate | None) -> float | None:
    """The highest flag rate that agrees with the accepted state, where that is another one."""
    if rate is None or ACCEPTED not in known.baseline.series:
        return None
    return known.accepted.highest_rate(rate.rows_effective)


def _rate(sample: Sample, bundle: Bundle) -> RealisedRate | None:
    """The share of flagged rows among those that were scored with every feature."""
    whole = np.isfinite(sample.score)
    if sample.muted is not None:
        whole &= ~sample.muted.any(axis=1)
    threshold = bundle.description.threshold
    return realised_rate(sample.score, whole, sample.timeline, threshold)
