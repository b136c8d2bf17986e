from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import Gate, Recalibration
from pipeline.gate.recalibrated import (
    CHECKS,
    RecalibrationFacts,
    RecalibrationLimits,
    decide_recalibrated,
)
from pipeline.recalibration import Stop

LIMITS = RecalibrationLimits(Gate(), Recalibration())
FIT = RecalibrationFacts(
    champion=3,
    rows=17_000,
    rows_effective=900.0,
    step=0.05,
    total=0.1,
    growth=0.01,
    stops=(),
    accepted="",
    days=30,
    alerts_per_day=1.0,
    champion_alerts_per_day=0.9,
    incidents=2,
    caught=("a", "b"),
    champion_caught=("a", "b"),
    fault_size={"spike": 3.0, "drift": 2.0},
    champion_fault_size={"spike": 3.0, "drift": 2.0},
)
TOTAL = Stop("total", 0.62, 0.5, "The threshold lies +62% from the one of 2024-01-31.")


def failed(facts: RecalibrationFacts) -> list[str]:
    return [r.name for r in decide_recalibrated(facts, LIMITS).results if r.verdict == "fail"]


def test_faults_that_could_not_be_planted_are_not_judged() -> None:
    verdict = decide_recalibrated(replace(FIT, fault_size={}, champion_fault_size={}), LIMITS)

    found = {result.name: result for result in verdict.results}["fault_size"]
    assert (found.verdict, found.value) == ("skip", "not judged")


def test_a_threshold_that_hardly_moved_passes_every_check() -> None:
    verdict = decide_recalibrated(FIT, LIMITS)

    assert verdict.passed
    assert verdict.champion == 3
    assert [result.name for result in verdict.results] == list(CHECKS)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"rows_effective": 99.0}, "enough_rows"),
        ({"rows_effective": float("nan")}, "enough_rows"),
        ({"stops": (Stop("step", 0.3, 0.2, "It moved."),), "step": 0.3}, "step_bound"),
        ({"stops": (TOTAL,), "total": 0.62}, "total_bound"),
        ({"stops": (Stop("creep", 0.19, 0.14, "It creeps."),), "growth": 0.19}, "creep_bound"),
        ({"step": float("nan")}, "step_bound"),
        ({"alerts_per_day": 2.9}, "alert_budget"),
        ({"caught": ("a",)}, "confirmed_incidents"),
        ({"fault_size": {"spike": 5.0, "drift": 2.0}}, "fault_size"),
        ({"fault_size": {"spike": None, "drift": 2.0}}, "fault_size"),
        ({"fault_size": {"drift": 2.0}}, "fault_size"),
    ],
)
def test_each_check_can_fail_alone(change: dict[str, object], check: str) -> None:
    assert failed(replace(FIT, **change)) == [check]


def test_a_stop_names_its_value_its_limit_and_the_fix() -> None:
    verdict = decide_recalibrated(replace(FIT, stops=(TOTAL,), total=0.62), LIMITS)

    bound = next(r for r in verdict.results if r.name == "total_bound")
    assert verdict.reason == "1 of 7 checks failed: total_bound is +62.0% (limit 50%)."
    assert TOTAL.reason in bound.reason
    assert "accept_beyond_bounds and a reason" in bound.reason


def test_a_stop_that_a_person_has_accepted_passes_under_their_name() -> None:
    facts = replace(FIT, stops=(TOTAL,), total=0.62, accepted="ada: a new gearbox")

    bound = next(r for r in decide_recalibrated(facts, LIMITS).results if r.name == "total_bound")

    assert bound.verdict == "pass"
    assert "Accepted by ada: a new gearbox" in bound.reason


def test_acceptance_of_a_bound_is_no_pass_for_a_lost_incident() -> None:
    facts = replace(FIT, stops=(TOTAL,), total=0.62, accepted="ada: because", caught=())

    assert failed(facts) == ["confirmed_incidents"]


def test_without_a_confirmed_incident_their_check_is_skipped() -> None:
    facts = replace(FIT, incidents=0, caught=(), champion_caught=())

    check = next(
        r for r in decide_recalibrated(facts, LIMITS).results if r.name == "confirmed_incidents"
    )

    assert check.verdict == "skip"


def test_the_first_alert_of_a_quiet_window_is_granted() -> None:
    assert failed(replace(FIT, champion_alerts_per_day=0.0, alerts_per_day=3 / 30)) == []
    assert failed(replace(FIT, champion_alerts_per_day=0.0, alerts_per_day=4 / 30)) == [
        "alert_budget"
    ]
