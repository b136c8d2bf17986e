"""The score against the last accepted state, which a recalibration does not replace."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from pipeline.drift import ACCEPTED, Carriers, DriftVerdict, baseline, escalated, judge
from pipeline.drift.result import from_rows, to_rows
from tests.drift.test_drift import COLUMNS, HONEST, LIMITS, NAMES, moved, sample, verdict

ACCEPTED_STATE = sample(5000, seed=3)
GROWN = moved(sample(5000, seed=2), score=0.6)
RECALIBRATED = moved(sample(5000, seed=1), score=0.6)
"""The reference of a recalibration whose window holds the growth."""


def test_growth_that_a_recalibration_has_absorbed_is_still_a_degradation() -> None:
    found = verdict(RECALIBRATED, GROWN, accepted=ACCEPTED_STATE)

    assert found.results[0].level == "none"
    assert (found.kind, found.action) == ("degradation", "look")
    assert "Since the last accepted state the score has risen" in found.reason


def test_growth_that_a_person_has_accepted_is_none() -> None:
    found = verdict(RECALIBRATED, GROWN, accepted=RECALIBRATED)

    assert found.kind == "none"
    assert ACCEPTED not in {result.feature for result in found.results}


def test_an_accepted_state_of_few_rows_says_nothing() -> None:
    few = moved(sample(60, seed=3), score=-3.0)

    found = verdict(RECALIBRATED, GROWN, accepted=few)

    assert found.kind == "none"
    assert ACCEPTED in found.at("no power")


def test_a_score_that_rose_beyond_few_accepted_rows_asks_for_a_threshold_as_before() -> None:
    found = verdict(sample(60, seed=1), moved(sample(5000, seed=2), score=1.5))

    assert found.results[0].level == "alarm"
    assert found.kind == "threshold stale"


def test_a_score_that_is_back_where_it_was_accepted_asks_for_a_new_threshold() -> None:
    fallen = moved(sample(5000, seed=1), score=-0.8)

    found = verdict(fallen, sample(5000, seed=2), accepted=ACCEPTED_STATE)

    assert (found.kind, found.action) == ("threshold stale", "recalibrate")
    assert "The last accepted state had such scores." in found.reason


def test_a_score_that_fell_below_a_higher_reference_is_still_beyond_the_accepted_state() -> None:
    higher = moved(sample(5000, seed=1), score=1.4)

    assert verdict(higher, GROWN, accepted=ACCEPTED_STATE).kind == "degradation"


def test_features_that_moved_with_a_rise_beyond_the_reference_make_the_model_stale() -> None:
    later = moved(sample(5000, seed=2), score=1.4, features=dict.fromkeys(range(6), 1.0))

    assert verdict(RECALIBRATED, later, accepted=ACCEPTED_STATE).kind == "model stale"


def test_a_second_week_that_warns_about_the_accepted_state_is_a_degradation() -> None:
    slightly = moved(sample(5000, seed=1), score=0.35)
    week = moved(sample(5000, seed=2), score=0.35)

    first = verdict(slightly, week, accepted=ACCEPTED_STATE)

    assert (first.kind, first.at("warn")) == ("none", (ACCEPTED,))
    assert escalated(first, first, COLUMNS).kind == "degradation"


@pytest.mark.parametrize(("allowed", "kind"), [(0.035, "threshold stale"), (0.025, "degradation")])
def test_a_flag_rate_counts_where_the_accepted_state_does_not_have_it(
    allowed: float, kind: str
) -> None:
    high = replace(HONEST, rate=0.03, verdict="above")
    known = baseline(sample(5000, seed=1), COLUMNS, LIMITS, ACCEPTED_STATE)

    found = judge(
        known,
        sample(5000, seed=2),
        columns=COLUMNS,
        limits=LIMITS,
        rate=high,
        accepted_rate=allowed,
    )

    assert found.kind == kind


def test_without_drift_the_accepted_state_raises_no_alarm() -> None:
    kinds = [
        verdict(
            sample(5000, seed=seed, rho=0.9),
            sample(5000, seed=1000 + seed, rho=0.9),
            accepted=sample(5000, seed=2000 + seed, rho=0.9),
        ).kind
        for seed in range(20)
    ]

    assert sum(kind != "none" for kind in kinds) <= 1


def test_a_verdict_with_its_carriers_survives_the_table() -> None:
    found = replace(
        verdict(RECALIBRATED, GROWN, accepted=ACCEPTED_STATE),
        carriers=Carriers(("f3", "f1"), ("b",)),
        accepted_rate=0.02,
    )

    rows = to_rows(found, day=date(2024, 1, 1), source="week", version=3)

    assert from_rows(rows[::-1], NAMES) == found


def test_a_verdict_of_an_earlier_release_is_read() -> None:
    found: DriftVerdict = verdict(sample(500, seed=1), sample(500, seed=2), rate=HONEST)
    rows = to_rows(found, day=date(2024, 1, 1), source="week", version=3)
    held = json.loads(rows[0]["evidence"])
    earlier = {name: held[name] for name in ("broken", "rate", "apart")}

    read = from_rows([rows[0] | {"evidence": json.dumps(earlier)}, *rows[1:]], NAMES)

    assert read == found
    assert read.carriers == Carriers()
