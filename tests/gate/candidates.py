"""Two candidates that pass every check, one of each kind, and the champion that they replace."""

from __future__ import annotations

from pipeline.config import Gate
from pipeline.evaluation.detectability import CaughtShare, Detectable
from pipeline.evaluation.paired import FaultLoss
from pipeline.evaluation.rate import RealisedRate
from pipeline.gate import (
    CandidateFacts,
    ChampionFacts,
    CheckResult,
    GateVerdict,
    Move,
    RecalibratedFacts,
    TrainedFacts,
    decide,
)
from pipeline.gate.facts import OpenCaseFlags, OpenShift


def found(share: float, size: float) -> Detectable:
    """What is caught at the limit `size` of a kind."""
    return Detectable(2.0, 1.5, 3.0, CaughtShare(size, share, share - 0.1, share + 0.01, 160))


LIKE = FaultLoss(episodes=1280, lost=30, gained=25, share=5 / 1280, surely=-0.01)
BLINDER = FaultLoss(episodes=1280, lost=400, gained=5, share=395 / 1280, surely=0.25)
RATE = RealisedRate(8624, 540, 100, 0.0116, (0.004, 0.025), (0.003, 0.021), (0.0, 0.027), "inside")
TRAINED = TrainedFacts(
    rows=8368,
    rows_effective=430.0,
    rate=RATE,
    noise_passthrough=0.6,
    explained_variance=0.98,
    median_error=0.0116,
    days=15,
    alerts_per_day=3.9,
    incidents=3,
    incidents_caught=("a", "b"),
    detectable={
        "spike": found(0.94, 6.0),
        "drift": found(0.97, 6.0),
        "unit change": found(0.99, 10.0),
        "stuck": found(0.4, 36.0),
    },
    fault_size={"spike": 1.0, "drift": 1.0, "unit change": 1.5, "stuck": None},
    fault_loss={"spike": LIKE, "drift": LIKE, "unit change": LIKE, "stuck": LIKE},
    drift="none",
    drift_reason="Nothing moved that matters.",
    bundle_mb=1.2,
    latency_ms=12.0,
    rank_agreement=0.9,
    open_cases=OpenCaseFlags(rows=200, candidate=195.0, champion=200.0, lost=6.0, gained=1.0),
    open_shifts=(OpenShift("pressure", "b", rows=120, outside=118.0),),
)
CHAMPION = ChampionFacts(
    version=3,
    median_error=0.011,
    alerts_per_day=3.0,
    incidents_caught=("a", "b"),
    fault_size={"spike": 1.0, "drift": 1.5, "unit change": 1.5, "stuck": None},
    explained_variance=0.97,
)
RECALIBRATED = RecalibratedFacts(
    rows=17_000,
    rows_effective=900.0,
    days=30,
    alerts_per_day=1.0,
    incidents=2,
    incidents_caught=("a", "b"),
    fault_size={"spike": 3.0, "drift": 2.0},
    fault_loss={"spike": LIKE, "drift": LIKE},
    step=Move(0.05, 0.2),
    total=Move(0.1, 0.5),
    creep=Move(0.01, 0.1),
    degradation=Move(0.0, 0.0),
    accepted="",
)
BEFORE = ChampionFacts(
    version=3,
    median_error=None,
    alerts_per_day=0.9,
    incidents_caught=("a", "b"),
    fault_size={"spike": 3.0, "drift": 2.0},
    threshold_rows=430.0,
)
"""The live version with the threshold that `RECALIBRATED` replaces."""
LIMITS = Gate()


def failed(verdict: GateVerdict) -> list[str]:
    return [result.name for result in verdict.results if result.verdict == "fail"]


def result_of(
    name: str, facts: CandidateFacts, champion: ChampionFacts | None, limits: Gate = LIMITS
) -> CheckResult:
    """The result of one check in the verdict about a candidate."""
    found = {result.name: result for result in decide(facts, champion, limits).results}
    return found[name]
