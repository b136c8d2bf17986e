"""The gate: checks whether a candidate may go live, and the decision that follows from them."""

from pipeline.gate.checks import CHECKS, KINDS, GateCheck, GateVerdict, checks_for, decide
from pipeline.gate.facts import (
    CandidateFacts,
    ChampionFacts,
    CheckResult,
    Move,
    RecalibratedFacts,
    TrainedFacts,
    Verdict,
)

__all__ = [
    "CHECKS",
    "KINDS",
    "CandidateFacts",
    "ChampionFacts",
    "CheckResult",
    "GateCheck",
    "GateVerdict",
    "Move",
    "RecalibratedFacts",
    "TrainedFacts",
    "Verdict",
    "checks_for",
    "decide",
]
