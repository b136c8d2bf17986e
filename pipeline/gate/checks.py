"""The gate's checks by name, and the decision that follows from them.

A new check is a function and an entry here; the contract suite, the card, the documentation and the
metrics pick it up. A question that a trained and a recalibrated candidate both answer is one
function; where its name on the two cards differs it has two entries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pipeline.config import Gate
from pipeline.detector.bundle.lineage import BundleKind
from pipeline.gate import absolute, common, moves, relative
from pipeline.gate.facts import (
    CandidateFacts,
    ChampionFacts,
    CheckResult,
    RecalibratedFacts,
    TrainedFacts,
)

KINDS: dict[BundleKind, type[CandidateFacts]] = {
    facts.kind: facts for facts in (TrainedFacts, RecalibratedFacts)
}
"""The facts that the gate has of each kind of candidate."""

_Facts = TypeVar("_Facts", bound=CandidateFacts)


@dataclass(frozen=True)
class GateCheck(Generic[_Facts]):
    """A check, and the candidates that it is for.

    Attributes:
        ask: from the candidate's facts, the champion's (None: there is none) and the limits to the
            result; the first sentence of its docstring is the question.
        applies_to: the facts that it needs: `TrainedFacts`, `RecalibratedFacts`, or, where it is
            asked of both, `CandidateFacts`.
    """

    ask: Callable[[_Facts, ChampionFacts | None, Gate], CheckResult]
    applies_to: type[_Facts]

    def is_for(self, kind: BundleKind) -> bool:
        """Whether a candidate of this kind is asked."""
        return issubclass(KINDS[kind], self.applies_to)


CHECKS: dict[str, GateCheck[Any]] = {  # Any: each has facts of its own, which `is_for` minds
    "enough_calibration_rows": GateCheck(common.enough_rows, TrainedFacts),
    "enough_rows": GateCheck(moves.enough_rows, RecalibratedFacts),
    "step_bound": GateCheck(moves.step_bound, RecalibratedFacts),
    "total_bound": GateCheck(moves.total_bound, RecalibratedFacts),
    "creep_bound": GateCheck(moves.creep_bound, RecalibratedFacts),
    "degradation": GateCheck(moves.degradation, RecalibratedFacts),
    "realised_rate": GateCheck(absolute.realised_rate, TrainedFacts),
    "not_overpowered": GateCheck(absolute.not_overpowered, TrainedFacts),
    "explained_variance": GateCheck(absolute.explained_variance, TrainedFacts),
    "reconstruction_vs_champion": GateCheck(relative.reconstruction_vs_champion, TrainedFacts),
    "rank_agreement": GateCheck(relative.rank_agreement, TrainedFacts),
    "open_cases": GateCheck(relative.open_cases, TrainedFacts),
    "open_shifts": GateCheck(relative.open_shifts, TrainedFacts),
    "alert_budget": GateCheck(common.alert_budget, CandidateFacts),
    "confirmed_incidents": GateCheck(common.confirmed_incidents, CandidateFacts),
    "injected_faults": GateCheck(absolute.injected_faults, TrainedFacts),
    "fault_size_vs_champion": GateCheck(common.fault_size, TrainedFacts),
    "fault_size": GateCheck(common.fault_size, RecalibratedFacts),
    "drift_allows": GateCheck(absolute.drift_allows, TrainedFacts),
    "bundle_size": GateCheck(absolute.bundle_size, TrainedFacts),
    "latency": GateCheck(absolute.latency, TrainedFacts),
}


def checks_for(kind: BundleKind) -> dict[str, GateCheck[Any]]:
    """The checks that a candidate of this kind is asked."""
    return {name: check for name, check in CHECKS.items() if check.is_for(kind)}


@dataclass(frozen=True)
class GateVerdict:
    """Whether a candidate may go live.

    Attributes:
        passed: no check failed; a skipped one does not block.
        reason: one sentence; names the failed checks with value and limit.
        results: of every check, that is for its kind, in the order of CHECKS.
        champion: version that the candidate was compared with; None without one.
    """

    passed: bool
    reason: str
    results: tuple[CheckResult, ...]
    champion: int | None


def decide(candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate) -> GateVerdict:
    """Run every check for this kind, also after one failed: a reviewer needs all failures."""
    asked = checks_for(candidate.kind).values()
    results = tuple(check.ask(candidate, champion, limits) for check in asked)
    failed = [result for result in results if result.verdict == "fail"]
    return GateVerdict(
        passed=not failed,
        reason=_failures(failed, len(results)) if failed else _success(results),
        results=results,
        champion=champion.version if champion else None,
    )


def _failures(failed: list[CheckResult], checked: int) -> str:
    named = "; ".join(f"{r.name} is {r.value} (limit {r.limit})" for r in failed)
    return f"{len(failed)} of {checked} checks failed: {named}."


def _success(results: tuple[CheckResult, ...]) -> str:
    skipped = [r.name.replace("_", " ") for r in results if r.verdict == "skip"]
    checked = len(results) - len(skipped)
    if not skipped:
        return f"All {checked} checks passed."
    return f"All {checked} checks that apply passed; skipped: {', '.join(skipped)}."
