"""The table of checks: which of them a candidate of either kind is asked."""

from __future__ import annotations

from pipeline.gate import CHECKS, CandidateFacts, RecalibratedFacts, TrainedFacts, checks_for


def test_a_trained_candidate_is_asked_about_its_weights_and_never_about_a_move():
    assert list(checks_for("trained")) == [
        "enough_calibration_rows",
        "realised_rate",
        "not_overpowered",
        "explained_variance",
        "reconstruction_vs_champion",
        "rank_agreement",
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
