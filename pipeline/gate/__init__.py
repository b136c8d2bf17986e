"""The gate: checks whether a candidate may go live, and the decision that follows from them."""

from pipeline.gate.checks import CHECKS, Check
from pipeline.gate.decision import GateVerdict, decide
from pipeline.gate.facts import CandidateFacts, ChampionFacts, CheckResult, Verdict

__all__ = [
    "CHECKS",
    "CandidateFacts",
    "ChampionFacts",
    "Check",
    "CheckResult",
    "GateVerdict",
    "Verdict",
    "decide",
]
