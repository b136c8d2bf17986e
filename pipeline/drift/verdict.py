"""The verdict from the tests of all series: what happened, and the one action.

A difference counts when it is significant *and* large: Benjamini-Hochberg over all features and
the score, q < `warn_q`; then D >= `warn_distance` warns, and D >= `alarm_distance` or a second
warning in a row alarms. A quiet test is no proof: where the rows could not have shown even an
alarm, the result says `no power`.

The score is compared with two references: that of the live threshold, which each recalibration
replaces, and that of the last accepted state, which none replaces. Where they are the same rows it
is one test. Benjamini-Hochberg covers the second one like all others; that the two tests are alike
does no harm (Benjamini & Yekutieli, 2001).

`judge` does not depend on earlier verdicts, so a verdict can be stored in any order; `escalated`
adds "a second warning in a row" when the verdict is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from pipeline.config import Columns, Drift
from pipeline.data.channels import channels
from pipeline.data.timeline import Mask, Timeline
from pipeline.drift.broken import Usual, broken_channels, usual_channels
from pipeline.drift.comparison import (
    ACCEPTED,
    SCORE,
    Sample,
    Series,
    SeriesTest,
    compare,
    series_of,
    without,
)
from pipeline.drift.diagnosis import LEAST_ACCEPTED, diagnose
from pipeline.drift.result import DriftResult, DriftVerdict, Level, VerdictEvidence
from pipeline.evaluation.rate import RealisedRate

_MOST_FLAGGED = 0.1  # of an entity's rows: ten times what a threshold usually lets cross
_FEWEST_ENTITIES = 3  # of two it is unclear which one differs


def entity_apart(flagged: Mask, timeline: Timeline) -> str | None:
    """The one entity of several that is flagged while the others are not, or None.

    A machine that fails while its neighbours run is an incident, not drift: it is reported as one,
    and a person decides about it. Left in, a day's outage of one turbine in four
    would ask for another model. Several machines at once are the plant, and stay.
    """
    codes, entity, counts = np.unique(timeline.entity, return_inverse=True, return_counts=True)
    if len(codes) < _FEWEST_ENTITIES:
        return None
    hits = np.bincount(entity, weights=flagged)
    worst = int(np.argmax(hits / counts))
    others = (hits.sum() - hits[worst]) / (counts.sum() - counts[worst])
    apart = float(hits[worst] / counts[worst]) > _MOST_FLAGGED >= float(others)
    return timeline.names[int(codes[worst])] if apart else None


@dataclass(frozen=True)
class Baseline:
    """A prepared reference: thinned once, however many days are compared with it.

    Attributes:
        series: the score first, then that of the accepted state where that is another one, then
            the features.
        usual: its channels.
    """

    series: dict[str, Series]
    usual: tuple[Usual, ...]


def baseline(
    reference: Sample, columns: Columns, limits: Drift, accepted: Sample | None = None
) -> Baseline:
    """The baseline from normal rows, thinned or not.

    `accepted` are the rows of the last accepted state; None: the reference is that state.
    """
    series = _series(reference, columns, limits)
    if accepted is not None and not _are_same(accepted, reference):
        score = series_of(accepted, None, maximum_rows=limits.maximum_rows)
        series = {SCORE: series.pop(SCORE), ACCEPTED: score, **series}
    return Baseline(series, usual_channels(reference, columns))


def judge(
    known: Baseline,
    current: Sample,
    *,
    columns: Columns,
    limits: Drift,
    rate: RealisedRate | None = None,
    accepted_rate: float | None = None,
    apart: str = "",
) -> DriftVerdict:
    """Compare `current` rows with the baseline, independent of earlier verdicts.

    The rows of the entity `apart` are left out of the tests; its sensors are checked as well.

    `rate` is the flag rate on the current rows: KS hardly sees the tail in which the
    threshold lies, a rate compared with its band does. `accepted_rate` is the highest one that
    agrees with the accepted state, where that is not the reference.
    """
    heard = current if not apart else without(current, apart)
    after = _series(heard, columns, limits)
    tests = {
        name: compare(before, after[SCORE if name == ACCEPTED else name], level=limits.warn_q)
        for name, before in known.series.items()
    }
    adjusted = stats.false_discovery_control([t.p for t in tests.values()], method="bh")
    results = tuple(
        _result(name, test, float(q), limits)
        for (name, test), q in zip(tests.items(), adjusted, strict=True)
    )
    broken = broken_channels(known.usual, current, columns)
    evidence = VerdictEvidence(broken, rate, apart, accepted_rate)
    return diagnose(results, evidence, n_channels=len(channels(columns)))


def with_evidence(
    verdict: DriftVerdict, evidence: VerdictEvidence, columns: Columns
) -> DriftVerdict:
    """The verdict that the same tests give with other `evidence` beside them."""
    return diagnose(verdict.results, evidence, n_channels=len(channels(columns)))


def escalated(
    verdict: DriftVerdict, previous: DriftVerdict | None, columns: Columns
) -> DriftVerdict:
    """`verdict` after `previous`: two warnings in a row are an alarm."""
    warned = previous.at("warn", "alarm") if previous else ()
    if not set(warned) & set(verdict.at("warn")):
        return verdict
    results = tuple(
        replace(r, level="alarm") if r.level == "warn" and r.feature in warned else r
        for r in verdict.results
    )
    return diagnose(results, verdict.evidence, n_channels=len(channels(columns)))


def judge_drift(
    reference: Sample,
    current: Sample,
    *,
    columns: Columns,
    limits: Drift,
    rate: RealisedRate | None = None,
    accepted: Sample | None = None,
    previous: DriftVerdict | None = None,
) -> DriftVerdict:
    """`judge` against the `reference` of a bundle, after the verdict `previous`, in one call.

    `accepted`: see `baseline`.
    """
    known = baseline(reference, columns, limits, accepted)
    found = judge(known, current, columns=columns, limits=limits, rate=rate)
    return escalated(found, previous, columns)


def _series(sample: Sample, columns: Columns, limits: Drift) -> dict[str, Series]:
    places: dict[str, int | None] = {SCORE: None}
    places |= {name: place for place, name in enumerate(columns.feature_columns)}
    return {
        name: series_of(sample, place, maximum_rows=limits.maximum_rows)
        for name, place in places.items()
    }


def _result(name: str, test: SeriesTest, q: float, limits: Drift) -> DriftResult:
    return DriftResult(
        feature=name,
        distance=test.distance,
        p=test.p,
        q=q,
        rows_reference=test.rows_reference,
        rows_current=test.rows_current,
        rises=test.rises,
        level=_level(test, q, limits) if _speaks(name, test) else "no power",
    )


def _speaks(name: str, test: SeriesTest) -> bool:
    """Whether the accepted state is known well enough for its test; others tell it by their p."""
    return name != ACCEPTED or test.rows_reference >= LEAST_ACCEPTED


def _are_same(one: Sample, other: Sample) -> bool:
    return np.array_equal(one.score, other.score) and np.array_equal(
        one.timeline.time_ns, other.timeline.time_ns
    )


def _level(test: SeriesTest, q: float, limits: Drift) -> Level:
    if q < limits.warn_q and test.distance >= limits.warn_distance:
        return "alarm" if test.distance >= limits.alarm_distance else "warn"
    return "no power" if test.visible > limits.alarm_distance else "none"
