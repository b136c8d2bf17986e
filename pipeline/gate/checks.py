"""The gate's checks by name, in the order that a reviewer reads them.

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
    "enough_rows": GateCheck(common.enough_rows, RecalibratedFacts),
    "step_bound": GateCheck(moves.step_bound, RecalibratedFacts),
    "total_bound": GateCheck(moves.total_bound, RecalibratedFacts),
    "creep_bound": GateCheck(moves.creep_bound, RecalibratedFacts),
    "realised_rate": GateCheck(absolute.realised_rate, TrainedFacts),
    "not_overpowered": GateCheck(absolute.not_overpowered, TrainedFacts),
    "explained_variance": GateCheck(absolute.explained_variance, TrainedFacts),
    "reconstruction_vs_champion": GateCheck(relative.reconstruction_vs_champion, TrainedFacts),
    "rank_agreement": GateCheck(relative.rank_agreement, TrainedFacts),
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
