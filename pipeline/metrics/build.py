"""What the steps found out, as the content of readings. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.attempts import Attempt
from pipeline.detector.threshold_estimate import ThresholdEstimate
from pipeline.drift import SCORE, DriftVerdict
from pipeline.ledger import Decision
from pipeline.metrics.readings import (
    MOST_FEATURES,
    DriftReading,
    IngestedReading,
    LiveReading,
    ScoredReading,
    SeriesDrift,
)

QUANTILES = (0.5, 0.9, 0.95, 0.99)


def ingested(attempt: Attempt) -> IngestedReading:
    """What an attempt did; the rules of all features together."""
    rejected: Counter[str] = Counter()
    for rule, rows in (attempt.rules or {}).items():
        rejected[rule.partition(":")[0]] += rows
    return IngestedReading(attempt.accepted, dict(rejected), _finite(attempt.completeness))


def scored(scores: NDArray[np.float64], flags: int, line: ThresholdEstimate) -> ScoredReading:
    """The scores of a day's rows, NaN where a row has none, and how many cross the line."""
    known = scores[np.isfinite(scores)]
    levels = np.quantile(known, QUANTILES) if len(known) else ()
    return ScoredReading(
        rows=len(known),
        flags=flags,
        quantiles={f"{q:g}": float(at) for q, at in zip(QUANTILES, levels, strict=False)},
        mean=float(known.mean()) if len(known) else None,
        stddev=float(known.std()) if len(known) else None,
        threshold=line.value,
        low=_finite(line.interval[0]),
        high=_finite(line.interval[1]),
        alpha=line.alpha,
    )


def drifted(verdict: DriftVerdict, latent: float | None) -> DriftReading:
    """The score's test and those of the features that moved furthest."""
    tests = [SeriesDrift(each.feature, each.distance, each.q) for each in verdict.results]
    score = [each for each in tests if each.feature == SCORE]
    others = sorted(
        (each for each in tests if each.feature != SCORE),
        key=lambda each: (-each.distance, each.feature),
    )
    return DriftReading((*score, *others[:MOST_FEATURES]), _finite(latent))


def live(changes: Sequence[Decision], lines: Sequence[Mapping[str, Any]]) -> LiveReading | None:
    """What the newest of `changes` made live; None: nothing ever was.

    `lines` are rows of the table `thresholds`, one a version.
    """
    if not changes:
        return None
    newest, by_version = changes[-1], {int(line["version"]): line for line in lines}
    line = by_version.get(newest.version)
    # Who trained it: itself, unless only its line was redrawn.
    weights = by_version.get(int(line["weights_of"])) if line is not None else None
    return LiveReading(
        version=newest.version,
        promoted_at=datetime.fromisoformat(newest.decided_at),
        drawn_at=_moment(line),
        trained_at=_moment(weights),
    )


def _moment(line: Mapping[str, Any] | None) -> datetime | None:
    return None if line is None else datetime.fromisoformat(line["created_at"].isoformat())


def _finite(value: float | None) -> float | None:
    """JSON knows no infinity."""
    return float(value) if value is not None and math.isfinite(value) else None
