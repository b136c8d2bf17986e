from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import Gate
from pipeline.gate import decide
from tests.gate.candidates import CHAMPION, LIMITS, RATE, TRAINED, failed, result_of


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"rate": replace(RATE, rate=0.05, verdict="above")}, "realised_rate"),
        ({"rate": None}, "realised_rate"),
        ({"noise_passthrough": 0.95}, "not_overpowered"),
        ({"explained_variance": -0.1}, "explained_variance"),
        ({"explained_variance": 0.91}, "explained_variance"),
        ({"fault_recall": {"spike": 0.9, "drift": 0.3, "unit change": 1.0}}, "injected_faults"),
        ({"fault_recall": {}}, "injected_faults"),
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
    unplanted = replace(TRAINED, fault_recall={}, fault_size={})
    partly = replace(TRAINED, fault_recall={"spike": 0.9})

    found = result_of("injected_faults", unplanted, CHAMPION)
    assert (found.verdict, found.value) == ("fail", "not judged")
    assert "Set schema.cadence" in found.reason
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
