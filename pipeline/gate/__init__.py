"""May this candidate go live? One question a check, and a decision that a reviewer can defend."""

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
