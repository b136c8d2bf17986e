"""Properties of every gate check; a new entry in CHECKS is tested without a change here."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from pipeline.config import Gate
from pipeline.evaluation.rate import RealisedRate
from pipeline.gate import CHECKS, CandidateFacts, ChampionFacts

NAN = float("nan")
RATE = RealisedRate(900, 900, 9, 0.01, (0.005, 0.02), (0.005, 0.02), (0.004, 0.02), "inside")
SIZES = {"spike": 2.0, "drift": 2.0, "unit change": 2.0}
HEALTHY = CandidateFacts(
    calibration_rows=1000,
    calibration_rows_effective=1000.0,
    rate=RATE,
    noise_passthrough=0.5,
    explained_variance=0.9,
    median_error=0.1,
    replayed_days=30,
    alerts_per_day=1.0,
    incidents=1,
    incidents_caught=("a",),
    fault_recall={"spike": 1.0, "drift": 1.0, "unit change": 1.0},
    fault_size=dict(SIZES),
    drift="none",
    drift_reason="Nothing moved that matters.",
    bundle_mb=1.0,
    latency_ms=10.0,
    rank_agreement=0.9,
)
UNKNOWN = replace(
    HEALTHY,
    calibration_rows_effective=NAN,
    rate=replace(RATE, rate=NAN),
    noise_passthrough=NAN,
    explained_variance=NAN,
    median_error=NAN,
    alerts_per_day=NAN,
    incidents_caught=(),
    fault_recall=dict.fromkeys(SIZES, NAN),
    fault_size=dict.fromkeys(SIZES, NAN),
    drift="data fault",
    bundle_mb=NAN,
    latency_ms=NAN,
    rank_agreement=NAN,
)
CHAMPION = ChampionFacts(1, 0.1, 1.0, ("a",), dict(SIZES), explained_variance=0.9)
LIMITS = Gate()

every_check = pytest.mark.parametrize("name", CHECKS)


@every_check
def test_it_answers_under_its_own_name_with_value_limit_and_reason(name: str) -> None:
    for champion in (CHAMPION, None):
        result = CHECKS[name](HEALTHY, champion, LIMITS)

        assert result.name == name
        assert result.verdict in ("pass", "fail", "skip")
        assert all((result.value, result.limit, result.reason))


@every_check
def test_a_healthy_candidate_passes_it(name: str) -> None:
    assert CHECKS[name](HEALTHY, CHAMPION, LIMITS).verdict == "pass"


@every_check
def test_a_value_that_could_not_be_measured_fails_it(name: str) -> None:
    assert CHECKS[name](UNKNOWN, CHAMPION, LIMITS).verdict == "fail"


@every_check
def test_without_a_champion_it_passes_or_says_that_there_is_none(name: str) -> None:
    result = CHECKS[name](HEALTHY, None, LIMITS)

    assert result.verdict == "pass" or "no champion" in result.reason


@every_check
def test_it_fits_one_row_of_a_table(name: str) -> None:
    result = CHECKS[name](UNKNOWN, CHAMPION, LIMITS)

    assert not set("|\n") & set(result.value + result.limit + result.champion + result.reason)


@every_check
def test_it_asks_one_question_that_its_docstring_states(name: str) -> None:
    first_line = (CHECKS[name].__doc__ or "").splitlines()[0]

    assert "?" in first_line


def test_every_fact_is_asked_for_by_some_check() -> None:
    explanations = {"drift_reason", "calibration_rows", "replayed_days", "incidents"}
    broken = {f.name: getattr(UNKNOWN, f.name) for f in fields(CandidateFacts)}

    for name in {f.name for f in fields(CandidateFacts)} - explanations:
        worse = replace(HEALTHY, **{name: broken[name]})
        verdicts = [check(worse, CHAMPION, LIMITS).verdict for check in CHECKS.values()]

        assert "fail" in verdicts, name
