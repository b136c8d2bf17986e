"""The results of all checks, and the decision that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Gate
from pipeline.gate.checks import checks_for
from pipeline.gate.facts import CandidateFacts, ChampionFacts, CheckResult


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
