"""Properties of every gate check; a new entry in CHECKS is tested without a change here."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from pipeline.config import Gate
from pipeline.evaluation.detectability import CaughtShare, Detectable
from pipeline.evaluation.paired import FaultLoss
from pipeline.evaluation.rate import RealisedRate
from pipeline.gate import (
    CHECKS,
    KINDS,
    CandidateFacts,
    ChampionFacts,
    CheckResult,
    Move,
    RecalibratedFacts,
    TrainedFacts,
    checks_for,
)
from pipeline.gate.facts import OpenCaseFlags, OpenShift

NAN = float("nan")
RATE = RealisedRate(900, 900, 9, 0.01, (0.005, 0.02), (0.005, 0.02), (0.004, 0.02), "inside")
SIZES = {"spike": 2.0, "drift": 2.0, "unit change": 2.0}
AT_LIMIT = CaughtShare(6.0, 1.0, 0.83, 1.0, 160)
SURE = Detectable(2.0, 1.5, 3.0, AT_LIMIT)
LIKE = FaultLoss(episodes=1280, lost=30, gained=25, share=5 / 1280, surely=-0.01)
TRAINED = TrainedFacts(
    rows=1000,
    rows_effective=1000.0,
    rate=RATE,
    noise_passthrough=0.5,
    explained_variance=0.9,
    median_error=0.1,
    days=30,
    alerts_per_day=1.0,
    incidents=1,
    incidents_caught=("a",),
    detectable=dict.fromkeys(SIZES, SURE),
    fault_size=dict(SIZES),
    fault_loss=dict.fromkeys(SIZES, LIKE),
    drift="none",
    drift_reason="Nothing moved that matters.",
    bundle_mb=1.0,
    latency_ms=10.0,
    rank_agreement=0.9,
    open_cases=OpenCaseFlags(rows=200, candidate=195.0, champion=200.0, lost=6.0, gained=1.0),
    open_shifts=(OpenShift("pressure", "b", rows=120, outside=118.0),),
)
RECALIBRATED = RecalibratedFacts(
    rows=1000,
    rows_effective=1000.0,
    days=30,
    alerts_per_day=1.0,
    incidents=1,
    incidents_caught=("a",),
    fault_size=dict(SIZES),
    fault_loss=dict.fromkeys(SIZES, LIKE),
    step=Move(0.1, 0.2),
    total=Move(0.1, 0.5),
    creep=Move(0.01, 0.14),
    degradation=Move(0.0, 0.0),
    accepted="",
)
HEALTHY: dict[str, CandidateFacts] = {each.kind: each for each in (TRAINED, RECALIBRATED)}
UNKNOWN: dict[str, CandidateFacts] = {
    "trained": replace(
        TRAINED,
        rows_effective=NAN,
        rate=replace(RATE, rate=NAN),
        noise_passthrough=NAN,
        explained_variance=NAN,
        median_error=NAN,
        alerts_per_day=NAN,
        incidents_caught=(),
        detectable=dict.fromkeys(SIZES, replace(SURE, at_limit=replace(AT_LIMIT, share=NAN))),
        fault_size=dict.fromkeys(SIZES, NAN),
        fault_loss=dict.fromkeys(SIZES, replace(LIKE, share=NAN, surely=NAN)),
        drift="data fault",
        bundle_mb=NAN,
        latency_ms=NAN,
        rank_agreement=NAN,
        open_cases=OpenCaseFlags(rows=200, candidate=NAN, champion=NAN, lost=NAN, gained=NAN),
        open_shifts=(OpenShift("pressure", "b", rows=120, outside=NAN),),
    ),
    "recalibrated": replace(
        RECALIBRATED,
        rows_effective=NAN,
        alerts_per_day=NAN,
        incidents_caught=(),
        fault_size=dict.fromkeys(SIZES, NAN),
        fault_loss=dict.fromkeys(SIZES, replace(LIKE, share=NAN, surely=NAN)),
        step=Move(NAN, 0.2),
        total=Move(NAN, 0.5),
        creep=Move(NAN, 0.14),
        degradation=Move(NAN, 0.0),
    ),
}
CHAMPION = ChampionFacts(1, 0.1, 1.0, ("a",), dict(SIZES), explained_variance=0.9)
LIMITS = Gate()

every_check = pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in checks_for(kind)]
)


def asked(
    kind: str,
    name: str,
    facts: dict[str, CandidateFacts],
    champion: ChampionFacts | None = CHAMPION,
) -> CheckResult:
    result: CheckResult = CHECKS[name].ask(facts[kind], champion, LIMITS)
    return result


def test_every_check_is_asked_of_some_candidate():
    assert {name for kind in KINDS for name in checks_for(kind)} == set(CHECKS)


@every_check
def test_it_answers_under_its_own_name_with_value_limit_and_reason(kind: str, name: str) -> None:
    for champion in (CHAMPION, None):
        result = asked(kind, name, HEALTHY, champion)

        assert result.name == name
        assert result.verdict in ("pass", "fail", "skip")
        assert all((result.value, result.limit, result.reason))


@every_check
def test_a_healthy_candidate_passes_it(kind: str, name: str) -> None:
    assert asked(kind, name, HEALTHY).verdict == "pass"


@every_check
def test_a_value_that_could_not_be_measured_fails_it(kind: str, name: str) -> None:
    assert asked(kind, name, UNKNOWN).verdict == "fail"


@every_check
def test_without_a_champion_it_passes_or_says_that_there_is_none(kind: str, name: str) -> None:
    result = asked(kind, name, HEALTHY, None)

    assert result.verdict == "pass" or "no champion" in result.reason


@every_check
def test_it_fits_one_row_of_a_table(kind: str, name: str) -> None:
    result = asked(kind, name, UNKNOWN)

    assert not set("|\n") & set(result.value + result.limit + result.champion + result.reason)


@pytest.mark.parametrize("name", CHECKS)
def test_it_asks_one_question_that_its_docstring_states(name: str) -> None:
    first_line = (CHECKS[name].ask.__doc__ or "").splitlines()[0]

    assert "?" in first_line


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_is_asked_for_by_some_check(kind) -> None:
    explanations = {"drift_reason", "unscored_days", "rows", "days", "incidents", "accepted"}
    broken = {f.name: getattr(UNKNOWN[kind], f.name) for f in fields(UNKNOWN[kind])}

    for name in broken.keys() - explanations:
        worse = {kind: replace(HEALTHY[kind], **{name: broken[name]})}
        verdicts = [asked(kind, check, worse).verdict for check in checks_for(kind)]

        assert "fail" in verdicts, name
