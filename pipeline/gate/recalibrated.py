"""Checks of a recalibration: the network is the same, only the threshold has changed.

Each compares in the direction that lets a threshold pass, so that a NaN fails. A bound that was
crossed fails unless a person has accepted it; then the result says who.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.config import Gate, Recalibration
from pipeline.gate.decision import GateVerdict, conclude
from pipeline.gate.facts import NOT_JUDGED, NOT_PLANTED, CheckResult, verdict
from pipeline.recalibration import Stop

FIX = (
    "Label the held episodes and run again; or run again with accept_beyond_bounds and a reason; "
    "or train, if the machine has changed."
)
_NAMED = 3


@dataclass(frozen=True)
class RecalibrationFacts:
    """The measurements of the new threshold and of the live one, over the same window.

    Attributes:
        champion: version that is live.
        rows: rows that the new threshold was estimated from.
        rows_effective: what they are worth as independent rows.
        step: relative move from the recalibrated version's threshold.
        total: relative move from the anchor.
        growth: relative growth of the scores' level a month.
        stops: bounds that were crossed.
        accepted: the person who accepted them, and the reason; empty: nobody.
        days: days of the window.
        alerts_per_day: over the window, with the new threshold.
        champion_alerts_per_day: with the live one.
        incidents: past confirmed incidents with scored rows.
        caught: of these, the ones with a row above the new threshold.
        champion_caught: above the live threshold.
        fault_size: smallest injected fault that is caught, by kind; None: no size is caught.
        champion_fault_size: likewise with the live threshold.
    """

    champion: int
    rows: int
    rows_effective: float
    step: float
    total: float
    growth: float
    stops: tuple[Stop, ...]
    accepted: str
    days: int
    alerts_per_day: float
    champion_alerts_per_day: float
    incidents: int
    caught: tuple[str, ...]
    champion_caught: tuple[str, ...]
    fault_size: dict[str, float | None]
    champion_fault_size: dict[str, float | None]


@dataclass(frozen=True)
class RecalibrationLimits:
    """The two sections of a detector file with the limits of the checks."""

    gate: Gate
    recalibration: Recalibration


def enough_rows(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Was the threshold estimated from enough independent rows?"""
    least = limits.gate.minimum_calibration_rows
    return CheckResult(
        "enough_rows",
        verdict(passed=facts.rows_effective >= least),
        value=f"{facts.rows_effective:,.0f}",
        limit=f">= {least:,}",
        reason=f"{facts.rows:,} rows are worth {facts.rows_effective:,.0f} independent ones; "
        "lengthen recalibration.window_days for more.",
        measured=facts.rows_effective,
    )


def step_bound(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Has the threshold moved further in one step than is usual, and than chance explains?"""
    return _bound("step", facts.step, limits.recalibration.maximum_step, facts)


def total_bound(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Has the threshold moved too far since its training, in however small steps?"""
    return _bound("total", facts.total, limits.recalibration.maximum_total, facts)


def creep_bound(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Do ordinary scores grow month by month, so that a new threshold would hide a slow fault?"""
    return _bound("creep", facts.growth, limits.recalibration.maximum_growth, facts)


def alert_budget(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Would there be too many more alerts a day? One alert over the window is allowed."""
    ratio = limits.gate.alert_rate_ratio
    allowed = ratio * (facts.champion_alerts_per_day + 1 / max(1, facts.days))
    return CheckResult(
        "alert_budget",
        verdict(passed=facts.alerts_per_day <= allowed),
        value=f"{facts.alerts_per_day:.2f}",
        limit=f"<= {ratio:g} x champion",
        champion=f"{facts.champion_alerts_per_day:.2f}",
        reason=f"Alerts a day over the {facts.days} days of the window; {allowed:.2f} are allowed.",
        measured=facts.alerts_per_day,
    )


def confirmed_incidents(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Are the past confirmed incidents that the live threshold catches still caught?"""
    before = set(facts.champion_caught)
    lost = sorted(before - set(facts.caught))
    kept = 1 - len(lost) / len(before) if before else 1.0
    limit = f">= {limits.gate.minimum_incident_recall:.0%} of champion's"
    value = f"{len(facts.caught)} of {facts.incidents}"
    if not before:
        return CheckResult(
            "confirmed_incidents",
            "skip",
            value=value,
            limit=limit,
            champion="0",
            reason="skip: no confirmed incident that the live threshold catches.",
        )
    named = f"{', '.join(lost[:_NAMED])}{', ...' if len(lost) > _NAMED else ''}"
    return CheckResult(
        "confirmed_incidents",
        verdict(passed=kept >= limits.gate.minimum_incident_recall),
        value=value,
        limit=limit,
        champion=f"{len(before)} of {facts.incidents}",
        reason=f"Not caught any more: {named}. Label what raised the threshold, or train."
        if lost
        else "Every confirmed incident that the live threshold catches is still caught.",
        measured=kept,
    )


def fault_size(facts: RecalibrationFacts, limits: RecalibrationLimits) -> CheckResult:
    """Are faults still caught at about the smallest size that the live threshold catches?"""
    if not facts.fault_size and not facts.champion_fault_size:
        return CheckResult(
            "fault_size",
            "skip",
            value=NOT_JUDGED,
            limit=f"<= {limits.gate.maximum_fault_size_ratio:g} x champion",
            reason=f"skip: {NOT_PLANTED}",
        )
    ratio = limits.gate.maximum_fault_size_ratio
    before = {k: v for k, v in facts.champion_fault_size.items() if v is not None}
    worse = [k for k, v in before.items() if (facts.fault_size.get(k) or float("inf")) > ratio * v]
    return CheckResult(
        "fault_size",
        verdict(passed=not worse),
        value=_sizes({k: facts.fault_size.get(k) for k in worse}) or "no blinder in any kind",
        limit=f"<= {ratio:g} x champion",
        champion=_sizes({k: before[k] for k in worse}) or "-",
        reason=f"Blinder than the live threshold to {', '.join(worse)}. {FIX}"
        if worse
        else "Smallest injected fault that is caught, kind by kind.",
        measured=float(len(worse)),
    )


CHECKS: dict[str, Callable[[RecalibrationFacts, RecalibrationLimits], CheckResult]] = {
    "enough_rows": enough_rows,
    "step_bound": step_bound,
    "total_bound": total_bound,
    "creep_bound": creep_bound,
    "alert_budget": alert_budget,
    "confirmed_incidents": confirmed_incidents,
    "fault_size": fault_size,
}
"""The checks by name, in the order that a reviewer reads them."""


def decide_recalibrated(facts: RecalibrationFacts, limits: RecalibrationLimits) -> GateVerdict:
    """Run every check, also after one failed."""
    return conclude(tuple(check(facts, limits) for check in CHECKS.values()), facts.champion)


def _bound(name: str, value: float, limit: float, facts: RecalibrationFacts) -> CheckResult:
    crossed = next((stop for stop in facts.stops if stop.name == name), None)
    reason = "Within the bound, or no more than chance explains."
    if crossed:
        answer = f"Accepted by {facts.accepted}" if facts.accepted else FIX
        reason = f"{crossed.reason} {answer}"
    return CheckResult(
        f"{name}_bound",
        # NaN crosses no bound and must not pass because of that.
        verdict(passed=not math.isnan(value) and (crossed is None or bool(facts.accepted))),
        value=f"{value:+.1%}",
        limit=f"{limit:.0%}",
        reason=reason,
        measured=value,
    )


def _sizes(by_kind: dict[str, float | None]) -> str:
    return ", ".join(f"{k} {'never' if v is None else f'{v:g}'}" for k, v in by_kind.items())
