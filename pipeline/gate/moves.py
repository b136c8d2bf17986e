"""Checks of a recalibrated candidate: how far its threshold has moved, and how well it is known.

What fails here passes when a person has accepted it; then the result says who.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.config import Gate
from pipeline.gate import common
from pipeline.gate.facts import (
    BEYOND_BOUNDS,
    ChampionFacts,
    CheckResult,
    Move,
    RecalibratedFacts,
    verdict,
)


def enough_rows(
    candidate: RecalibratedFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does the threshold rest on enough independent rows, or at least on as many as the live one?

    A provisional threshold is estimated anew each week, on the rows that have been scored so far.
    After two weeks of weather these may be two independent ones, where the training had fifty.
    """
    result = common.enough_rows(candidate, champion, limits)
    rows, known = candidate.rows_effective, champion.threshold_rows if champion else None
    if known is None or rows >= min(known, limits.minimum_calibration_rows):
        return result
    told = f" The live threshold rests on {known:,.0f}"
    if candidate.accepted:
        return replace(result, reason=f"{result.reason}{told}. Accepted by {candidate.accepted}")
    return replace(
        result,
        verdict="fail",
        champion=f"{known:,.0f}",
        reason=f"{result.reason}{told} and stays, until a new one rests on as many.",
    )


def step_bound(
    candidate: RecalibratedFacts, _champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Has the threshold moved further in one step than is usual, and than chance explains?"""
    return _bound("step_bound", candidate.step, candidate.accepted)


def total_bound(
    candidate: RecalibratedFacts, _champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Has the threshold moved too far since its training, in however small steps?"""
    return _bound("total_bound", candidate.total, candidate.accepted)


def creep_bound(
    candidate: RecalibratedFacts, _champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Do ordinary scores grow month by month, so that a new threshold would hide a slow fault?"""
    return _bound("creep_bound", candidate.creep, candidate.accepted)


def degradation(
    candidate: RecalibratedFacts, _champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Have more rows become high than in the accepted state, so that a raise would hide a fault?"""
    return _bound("degradation", candidate.degradation, candidate.accepted)


def _bound(name: str, move: Move, accepted: str) -> CheckResult:
    reason = "Within the bound, or no more than chance explains."
    if move.crossed:
        answer = f"Accepted by {accepted}" if accepted else BEYOND_BOUNDS
        reason = f"{move.crossed} {answer}"
    # NaN crosses no bound and must not pass because of that.
    measured = move.value == move.value
    return CheckResult(
        name,
        verdict(passed=measured and (not move.crossed or bool(accepted))),
        value=f"{move.value:+.1%}",
        limit=f"{move.limit:.0%}",
        reason=reason,
        measured=move.value,
    )
