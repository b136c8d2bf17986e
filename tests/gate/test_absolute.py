from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import Gate
from pipeline.gate import decide
from tests.gate.candidates import CHAMPION, LIMITS, RATE, TRAINED, failed, found, result_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"rate": replace(RATE, rate=0.05, verdict="above")}, "realised_rate"),
        ({"rate": None}, "realised_rate"),
        ({"noise_passthrough": 0.95}, "not_overpowered"),
        ({"explained_variance": -0.1}, "explained_variance"),
        ({"explained_variance": 0.91}, "explained_variance"),
        ({"detectable": {**TRAINED.detectable, "drift": found(0.3, 6.0)}}, "injected_faults"),
        ({"detectable": {**TRAINED.detectable, "drift": found(NAN, 6.0)}}, "injected_faults"),
        ({"detectable": {}}, "injected_faults"),
        ({"drift": "model stale"}, "drift_allows"),
        ({"drift": "data fault"}, "drift_allows"),
        ({"bundle_mb": 80.0}, "bundle_size"),
        ({"latency_ms": 2000.0}, "latency"),
    ],
)
def test_one_fault_fails_one_check_and_the_whole_gate(change: dict[str, object], check: str):
    verdict = decide(replace(TRAINED, **change), CHAMPION, LIMITS)

    assert failed(verdict) == [check]
    assert not verdict.passed
    assert check in verdict.reason


def test_faults_that_could_not_be_planted_are_not_judged_and_never_passed():
    unplanted = replace(TRAINED, detectable={}, fault_size={}, fault_loss={})
    partly = replace(TRAINED, detectable={"spike": found(0.9, 6.0)})

    result = result_of("injected_faults", unplanted, CHAMPION)
    assert (result.verdict, result.value) == ("fail", "not judged")
    assert "Set schema.cadence" in result.reason
    assert failed(decide(partly, CHAMPION, LIMITS)) == ["injected_faults"]
    assert "not planted: drift" in result_of("injected_faults", partly, CHAMPION).reason
    assert decide(unplanted, None, Gate(required_faults=())).passed


def test_a_score_without_a_reconstruction_is_not_asked_about_one():
    forest = replace(TRAINED, noise_passthrough=None, explained_variance=None, median_error=None)

    for champion in (None, CHAMPION):
        assert decide(forest, champion, LIMITS).passed
        for name in ("not_overpowered", "explained_variance"):
            found = result_of(name, forest, champion)
            assert found.verdict == "skip"
            assert "not applicable" in found.reason


def test_the_smallest_size_is_shown_with_its_range_and_the_limit_of_its_kind():
    result = result_of("injected_faults", TRAINED, None)

    assert result.limit == ">= 50% at spike 6, drift 6, unit change 10"
    assert result.value == "spike 6: 94% (84% to 95%)"
    assert "spike 2 (1.5 to 3)" in result.reason


def test_a_kind_without_a_limit_may_be_required_too():
    asked = Gate(required_faults=("stuck",))

    assert result_of("injected_faults", TRAINED, None, asked).verdict == "fail"
    assert "stuck none" in result_of("injected_faults", TRAINED, None, asked).limit


def test_the_share_that_was_caught_decides_and_no_end_of_its_interval():
    just = {**TRAINED.detectable, "drift": found(0.5, 6.0)}
    not_quite = {**TRAINED.detectable, "drift": found(0.495, 6.0)}

    assert decide(replace(TRAINED, detectable=just), None, LIMITS).passed
    assert not decide(replace(TRAINED, detectable=not_quite), None, LIMITS).passed


@pytest.mark.parametrize(
    ("rate", "verdict", "words"),
    [(0.05, "above", "Too many flags"), (0.001, "below", "Too few flags")],
)
def test_too_few_flags_are_told_as_plainly_as_too_many(rate: float, verdict: str, words: str):
    seen = replace(RATE, rate=rate, band=(0.004, 0.027), verdict=verdict)

    result = result_of("realised_rate", replace(TRAINED, rate=seen), CHAMPION)

    assert result.verdict == "fail"
    assert words in result.reason
    assert "Too" not in result_of("realised_rate", TRAINED, CHAMPION).reason


def test_a_band_down_to_nothing_says_that_no_flag_would_agree_as_well():
    assert (
        "too few to show a rate that is too low"
        in result_of("realised_rate", TRAINED, CHAMPION).reason
    )
