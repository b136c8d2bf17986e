from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.gate import (
    CHECKS,
    CandidateFacts,
    GateVerdict,
    RecalibratedFacts,
    TrainedFacts,
    checks_for,
    decide,
)
from pipeline.records import from_json, to_json
from tests.gate.candidates import BEFORE, CHAMPION, LIMITS, RECALIBRATED, TRAINED, failed

KINDS = pytest.mark.parametrize(
    ("facts", "champion"),
    [(TRAINED, CHAMPION), (RECALIBRATED, BEFORE)],
    ids=["trained", "recalibrated"],
)


def test_a_trained_candidate_is_asked_about_its_weights_and_never_about_a_move():
    assert list(checks_for("trained")) == [
        "enough_calibration_rows",
        "realised_rate",
        "not_overpowered",
        "explained_variance",
        "reconstruction_vs_champion",
        "rank_agreement",
        "open_cases",
        "open_shifts",
        "alert_budget",
        "confirmed_incidents",
        "injected_faults",
        "fault_size_vs_champion",
        "drift_allows",
        "bundle_size",
        "latency",
    ]


def test_a_recalibrated_candidate_is_asked_about_the_move_and_what_it_changes():
    assert list(checks_for("recalibrated")) == [
        "enough_rows",
        "step_bound",
        "total_bound",
        "creep_bound",
        "degradation",
        "alert_budget",
        "confirmed_incidents",
        "fault_size",
    ]


def test_a_question_for_both_kinds_is_one_function():
    asked: dict[str, set[type]] = {}
    for check in CHECKS.values():
        asked.setdefault(check.ask.__name__, set()).add(check.applies_to)
    alone = ({TrainedFacts}, {RecalibratedFacts})

    assert {name: kinds for name, kinds in asked.items() if kinds not in alone} == {
        "enough_rows": {TrainedFacts, RecalibratedFacts},
        "alert_budget": {CandidateFacts},
        "confirmed_incidents": {CandidateFacts},
        "fault_size": {TrainedFacts, RecalibratedFacts},
    }


@KINDS
def test_a_healthy_candidate_passes_every_check_of_its_kind_in_their_order(facts, champion):
    verdict = decide(facts, champion, LIMITS)

    assert verdict.passed
    assert failed(verdict) == []
    assert verdict.champion == 3
    assert [result.name for result in verdict.results] == list(checks_for(facts.kind))


@KINDS
def test_every_check_is_shown_in_order_even_after_a_failure(facts, champion):
    verdict = decide(replace(facts, rows_effective=0.0), champion, LIMITS)

    assert failed(verdict) == [next(iter(checks_for(facts.kind)))]
    assert [result.name for result in verdict.results] == list(checks_for(facts.kind))


def test_the_reason_names_every_failed_check_with_value_and_limit():
    verdict = decide(replace(TRAINED, noise_passthrough=0.95, bundle_mb=80.0), CHAMPION, LIMITS)

    assert verdict.reason == (
        "2 of 15 checks failed: not_overpowered is 0.95 (limit <= 0.8); "
        "bundle_size is 80.0 MB (limit <= 50 MB)."
    )


def test_a_recalibrated_candidate_is_asked_eight_questions():
    moved = replace(RECALIBRATED.total, value=0.62, crossed="It moved.")
    verdict = decide(replace(RECALIBRATED, total=moved), BEFORE, LIMITS)

    assert verdict.reason == "1 of 8 checks failed: total_bound is +62.0% (limit 50%)."


def test_without_a_champion_the_absolute_checks_decide_and_the_others_say_why_not():
    verdict = decide(TRAINED, None, LIMITS)

    skipped = {r.name: r.reason for r in verdict.results if r.verdict == "skip"}

    assert verdict.passed
    assert verdict.champion is None
    assert set(skipped) == {
        "reconstruction_vs_champion",
        "rank_agreement",
        "open_cases",
        "open_shifts",
        "alert_budget",
        "confirmed_incidents",
        "fault_size_vs_champion",
    }
    assert set(skipped.values()) == {"skip: no champion yet."}


def test_the_reason_of_a_pass_names_what_was_skipped():
    verdict = decide(replace(RECALIBRATED, fault_size={}), replace(BEFORE, fault_size={}), LIMITS)

    assert verdict.reason == "All 7 checks that apply passed; skipped: fault size."


def test_a_verdict_survives_json():
    verdict = decide(TRAINED, CHAMPION, LIMITS)

    assert from_json(GateVerdict, json.loads(json.dumps(to_json(verdict)))) == verdict
