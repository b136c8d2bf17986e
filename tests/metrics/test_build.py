from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftResult, DriftVerdict
from pipeline.ledger import Decision
from pipeline.metrics import build
from pipeline.metrics.readings import IngestedReading
from pipeline.store.ingestions import Attempt

THRESHOLD = ThresholdEstimate(
    value=4.0, method="conformal", alpha=0.01, n=100, n_effective=50.0, interval=(3.0, None),
    rate_interval=(0.0, 0.03), low_confidence=False, note="",
)  # fmt: skip


def result(feature: str, distance: float) -> DriftResult:
    return DriftResult(feature, distance, 0.5, 0.6, 100, 100, rises=True, level="none")


def decision(version: int, action: str = "promotion") -> Decision:
    at = datetime(2026, 1, version, tzinfo=UTC).isoformat()
    return Decision(action, "pumps", version, None, "w", "y", "r", "c", at)


def threshold_row(version: int, *, weights_of: int) -> dict[str, object]:
    created = pd.Timestamp(2025, 12, version, tz="UTC")
    return {"version": version, "weights_of": weights_of, "created_at": created}


def test_rules_of_all_features_are_added_up():
    rules = {"out_of_range:flow": 3, "out_of_range:pressure": 4, "duplicate": 1}
    attempt = Attempt(
        date(2026, 1, 1), datetime.now(UTC), "r", "validated", "validated",
        accepted=64, completeness=1.0, rules=rules,
    )  # fmt: skip

    assert build.ingested(attempt) == IngestedReading(64, {"out_of_range": 7, "duplicate": 1}, 1.0)


def test_scores_are_summed_up_without_the_rows_that_have_none():
    scores = np.array([np.nan, 1.0, 2.0, 3.0, 9.0])

    found = build.scored(scores, 1, THRESHOLD)

    assert (found.rows, found.flags) == (4, 1)
    assert found.quantiles["0.5"] == 2.5
    assert found.mean == pytest.approx(3.75)
    assert found.stddev == pytest.approx(np.std([1, 2, 3, 9]))
    assert (found.threshold, found.low, found.high, found.alpha) == (4.0, 3.0, None, 0.01)


def test_a_day_whose_rows_all_lack_a_score_has_no_figures():
    found = build.scored(np.array([np.nan]), 0, THRESHOLD)

    assert (found.rows, found.quantiles, found.mean, found.stddev) == (0, {}, None, None)


def test_the_score_and_the_twenty_features_furthest_moved_are_shown():
    results = (result("score", 0.01), *(result(f"f{n:02}", n / 100) for n in range(40)))
    verdict = DriftVerdict("none", "none", "", results, ())

    found = build.drifted(verdict, float("inf"))

    names = [each.feature for each in found.moved]
    assert names == ["score", *(f"f{n}" for n in range(39, 19, -1))]
    assert found.latent is None


def test_the_growth_of_the_score_is_the_one_since_acceptance():
    since = result("score since acceptance", 0.3)
    grown = DriftVerdict("none", "none", "", (result("score", 0.1), since), ())
    fell = DriftVerdict("none", "none", "", (replace(since, feature="score", rises=False),), ())

    assert build.drifted(grown, None).growth == 0.3
    assert build.drifted(fell, None).growth == 0.0


def test_what_is_live_is_what_the_last_change_says():
    changes = [decision(1), decision(2), decision(1, "rollback")]
    thresholds = [threshold_row(1, weights_of=1), threshold_row(2, weights_of=2)]

    found = build.live(changes, thresholds)

    assert found is not None
    assert (found.version, found.drawn_at) == (1, datetime(2025, 12, 1, tzinfo=UTC))


def test_a_recalibrated_threshold_and_its_weights_have_ages_of_their_own():
    found = build.live(
        [decision(1), decision(2)], [threshold_row(1, weights_of=1), threshold_row(2, weights_of=1)]
    )

    assert found is not None
    assert found.promoted_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert found.drawn_at == datetime(2025, 12, 2, tzinfo=UTC)
    assert found.trained_at == datetime(2025, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("thresholds", [[], [threshold_row(7, weights_of=7)]])
def test_a_version_without_a_threshold_on_record_has_no_ages(thresholds):
    found = build.live([decision(1)], thresholds)

    assert found is not None
    assert (found.version, found.drawn_at, found.trained_at) == (1, None, None)


def test_nothing_is_live_before_the_first_promotion():
    assert build.live([], []) is None
