"""Build the content of readings from the results of the steps. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import ACCEPTED, SCORE, DriftVerdict, accepted_test
from pipeline.ledger import Decision
from pipeline.metrics.readings import (
    MOST_FEATURES,
    DriftReading,
    IngestedReading,
    LiveReading,
    ScoredReading,
    SeriesDrift,
)
from pipeline.store.ingestions import Attempt

QUANTILES = (0.5, 0.9, 0.95, 0.99)


def ingested(attempt: Attempt) -> IngestedReading:
    """The reading of an ingestion attempt; the rules of all features together."""
    rejected: Counter[str] = Counter()
    for rule, rows in (attempt.rules or {}).items():
        rejected[rule.partition(":")[0]] += rows
    return IngestedReading(attempt.accepted, dict(rejected), _finite(attempt.completeness))


def scored(scores: NDArray[np.float64], flags: int, threshold: ThresholdEstimate) -> ScoredReading:
    """The scores of a day's rows, NaN where a row has none, and how many are flagged."""
    known = scores[np.isfinite(scores)]
    levels = np.quantile(known, QUANTILES) if len(known) else ()
    return ScoredReading(
        rows=len(known),
        flags=flags,
        quantiles={f"{q:g}": float(at) for q, at in zip(QUANTILES, levels, strict=False)},
        mean=float(known.mean()) if len(known) else None,
        stddev=float(known.std()) if len(known) else None,
        threshold=threshold.value,
        low=_finite(threshold.interval[0]),
        high=_finite(threshold.interval[1]),
        alpha=threshold.alpha,
    )


def drifted(verdict: DriftVerdict, latent: float | None) -> DriftReading:
    """The score's test and those of the features that moved furthest; the score's growth."""
    tests = [SeriesDrift(each.feature, each.distance, each.q) for each in verdict.results]
    score = [each for each in tests if each.feature == SCORE]
    others = sorted(
        (each for each in tests if each.feature not in (SCORE, ACCEPTED)),
        key=lambda each: (-each.distance, each.feature),
    )
    since = accepted_test(verdict.results)
    growth = since.distance if since.rises else 0.0
    return DriftReading((*score, *others[:MOST_FEATURES]), _finite(latent), growth)


def live(
    changes: Sequence[Decision], thresholds: Sequence[Mapping[str, Any]]
) -> LiveReading | None:
    """The version that the newest of `changes` made live; None: no version was ever live.

    `thresholds` are rows of the table of that name, one for each version.
    """
    if not changes:
        return None
    newest = changes[-1]
    by_version = {int(row["version"]): row for row in thresholds}
    threshold = by_version.get(newest.version)
    # The version that trained the weights: itself, unless it was only recalibrated.
    weights = by_version.get(int(threshold["weights_of"])) if threshold is not None else None
    return LiveReading(
        version=newest.version,
        promoted_at=datetime.fromisoformat(newest.decided_at),
        drawn_at=_moment(threshold),
        trained_at=_moment(weights),
    )


def _moment(row: Mapping[str, Any] | None) -> datetime | None:
    return None if row is None else datetime.fromisoformat(row["created_at"].isoformat())


def _finite(value: float | None) -> float | None:
    """None for infinity, which JSON does not have."""
    return float(value) if value is not None and math.isfinite(value) else None
