from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.config import Gate
from pipeline.evaluation.rate import RealisedRate
from pipeline.gate import CHECKS, CandidateFacts, ChampionFacts, GateVerdict, decide
from pipeline.records import from_json, to_json

RATE = RealisedRate(8624, 540, 100, 0.0116, (0.004, 0.025), (0.003, 0.021), (0.0, 0.027), "inside")
CANDIDATE = CandidateFacts(
    calibration_rows=8368,
    calibration_rows_effective=430.0,
    rate=RATE,
    noise_passthrough=0.6,
    explained_variance=0.98,
    median_error=0.0116,
    replayed_days=15,
    alerts_per_day=3.9,
    incidents=3,
    incidents_caught=("a", "b"),
    fault_recall={"spike": 0.94, "drift": 0.97, "unit change": 0.99, "stuck": 0.4},
    fault_size={"spike": 1.0, "drift": 1.0, "unit change": 1.5, "stuck": None},
    drift="none",
    drift_reason="Nothing moved that matters.",
    bundle_mb=1.2,
    latency_ms=12.0,
    rank_agreement=0.9,
)
CHAMPION = ChampionFacts(
    version=3,
    median_error=0.011,
    alerts_per_day=3.0,
    incidents_caught=("a", "b"),
    fault_size={"spike": 1.0, "drift": 1.5, "unit change": 1.5, "stuck": None},
    explained_variance=0.97,
)
LIMITS = Gate()


def failed(verdict: GateVerdict) -> list[str]:
    return [result.name for result in verdict.results if result.verdict == "fail"]


def test_a_healthy_candidate_passes_every_check() -> None:
    verdict = decide(CANDIDATE, CHAMPION, LIMITS)

    assert verdict.passed
    assert failed(verdict) == []
    assert verdict.champion == 3


def test_without_a_champion_the_absolute_checks_decide_and_the_others_say_why_not() -> None:
    verdict = decide(CANDIDATE, None, LIMITS)

    skipped = {r.name: r.reason for r in verdict.results if r.verdict == "skip"}

    assert verdict.passed
    assert set(skipped) == {
        "reconstruction_vs_champion",
        "rank_agreement",
        "alert_budget",
        "confirmed_incidents",
        "fault_size_vs_champion",
    }
    assert set(skipped.values()) == {"skip: no champion yet."}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"calibration_rows_effective": 99.0}, "enough_calibration_rows"),
        ({"rate": replace(RATE, rate=0.05, verdict="above")}, "realised_rate"),
        ({"rate": None}, "realised_rate"),
        ({"noise_passthrough": 0.95}, "not_overpowered"),
        ({"explained_variance": -0.1}, "explained_variance"),
        ({"explained_variance": 0.91}, "explained_variance"),
        ({"rank_agreement": 0.05}, "rank_agreement"),
        ({"rank_agreement": -0.9}, "rank_agreement"),
        ({"median_error": 0.02}, "reconstruction_vs_champion"),
        ({"alerts_per_day": 30.0}, "alert_budget"),
        ({"incidents_caught": ("a", "c")}, "confirmed_incidents"),
        ({"fault_recall": {"spike": 0.9, "drift": 0.3, "unit change": 1.0}}, "injected_faults"),
        ({"fault_recall": {}}, "injected_faults"),
        (
            {"fault_size": {"spike": 2.0, "drift": 1.0, "unit change": 1.5}},
            "fault_size_vs_champion",
        ),
        ({"fault_size": {"drift": 1.0, "unit change": 1.5}}, "fault_size_vs_champion"),
        ({"drift": "model stale"}, "drift_allows"),
        ({"drift": "data fault"}, "drift_allows"),
        ({"bundle_mb": 80.0}, "bundle_size"),
        ({"latency_ms": 2000.0}, "latency"),
    ],
)
def test_one_fault_fails_one_check_and_the_whole_gate(
    change: dict[str, object], check: str
) -> None:
    verdict = decide(replace(CANDIDATE, **change), CHAMPION, LIMITS)

    assert failed(verdict) == [check]
    assert not verdict.passed
    assert check in verdict.reason


def test_faults_that_could_not_be_planted_are_not_judged_and_never_passed() -> None:
    unplanted = replace(CANDIDATE, fault_recall={}, fault_size={})
    results = {r.name: r for r in decide(unplanted, CHAMPION, LIMITS).results}
    both = decide(unplanted, replace(CHAMPION, fault_size={}), LIMITS)
    partly = decide(replace(CANDIDATE, fault_recall={"spike": 0.9}), CHAMPION, LIMITS)

    assert results["injected_faults"].value == "not judged"
    assert "Set schema.cadence" in results["injected_faults"].reason
    assert results["fault_size_vs_champion"].verdict == "fail"
    assert failed(both) == ["injected_faults"]
    compared = {r.name: r for r in both.results}["fault_size_vs_champion"]
    assert (compared.verdict, compared.value) == ("skip", "not judged")
    assert failed(partly) == ["injected_faults"]
    assert "not planted: drift" in {r.name: r for r in partly.results}["injected_faults"].reason
    assert decide(unplanted, None, Gate(required_faults=())).passed


def test_the_reason_names_every_failed_check_with_value_and_limit() -> None:
    verdict = decide(replace(CANDIDATE, noise_passthrough=0.95, bundle_mb=80.0), CHAMPION, LIMITS)

    assert verdict.reason == (
        "2 of 13 checks failed: not_overpowered is 0.95 (limit <= 0.8); "
        "bundle_size is 80.0 MB (limit <= 50 MB)."
    )


def test_fewer_alerts_than_a_stale_champion_are_welcome() -> None:
    assert decide(replace(CANDIDATE, alerts_per_day=0.1), CHAMPION, LIMITS).passed


def test_a_silent_candidate_passes_only_if_it_is_seen_to_catch_something() -> None:
    silent = replace(CANDIDATE, alerts_per_day=0.0)
    unseeing = replace(silent, incidents_caught=(), fault_size={"spike": None, "drift": None})
    nothing_asked = Gate(required_faults=(), minimum_incident_recall=0.0)
    before = replace(CHAMPION, fault_size={})

    assert decide(silent, before, nothing_asked).passed
    assert failed(decide(unseeing, before, nothing_asked)) == ["alert_budget"]
    assert decide(replace(unseeing, incidents_caught=("a",)), before, nothing_asked).passed


def test_a_score_without_a_reconstruction_is_not_asked_about_one() -> None:
    forest = replace(CANDIDATE, noise_passthrough=None, explained_variance=None, median_error=None)

    for champion in (None, CHAMPION):
        results = {r.name: r for r in decide(forest, champion, LIMITS).results}

        assert decide(forest, champion, LIMITS).passed
        for name in ("not_overpowered", "explained_variance"):
            assert results[name].verdict == "skip"
            assert "not applicable" in results[name].reason


def test_errors_of_another_family_or_loss_are_no_measure_for_the_candidate() -> None:
    wide = replace(CHAMPION, median_error=1e-9, explained_variance=1.0, same_kind=False)
    forest = replace(CHAMPION, median_error=None, explained_variance=None)
    worse = replace(CANDIDATE, explained_variance=0.6)

    assert decide(worse, wide, LIMITS).passed
    assert decide(worse, forest, LIMITS).passed
    assert failed(decide(worse, replace(wide, same_kind=True), LIMITS)) == [
        "explained_variance",
        "reconstruction_vs_champion",
    ]


def test_a_champion_whose_score_never_changes_does_not_forbid_its_successor() -> None:
    assert decide(replace(CANDIDATE, rank_agreement=None), CHAMPION, LIMITS).passed


def test_a_champion_without_alerts_does_not_forbid_the_first_one() -> None:
    silent = replace(CHAMPION, alerts_per_day=0.0)

    assert decide(replace(CANDIDATE, alerts_per_day=2 / 15), silent, LIMITS).passed
    assert not decide(replace(CANDIDATE, alerts_per_day=2.0), silent, LIMITS).passed


def test_one_grade_of_fault_size_is_sampling_noise() -> None:
    slightly = {"spike": 1.5, "drift": 2.0, "unit change": 2.0}

    assert decide(replace(CANDIDATE, fault_size=slightly), CHAMPION, LIMITS).passed


def test_the_check_of_confirmed_incidents_can_be_configured_to_accept_a_loss() -> None:
    lossy = replace(CANDIDATE, incidents_caught=("a",))

    assert decide(lossy, CHAMPION, Gate(minimum_incident_recall=0.5)).passed


def test_every_check_is_shown_in_order_even_after_a_failure() -> None:
    verdict = decide(replace(CANDIDATE, calibration_rows_effective=1.0), CHAMPION, LIMITS)

    assert [result.name for result in verdict.results] == list(CHECKS)


def test_facts_and_verdict_survive_json() -> None:
    verdict = decide(CANDIDATE, CHAMPION, LIMITS)

    for record in (CANDIDATE, CHAMPION, verdict):
        assert from_json(type(record), json.loads(json.dumps(to_json(record)))) == record
