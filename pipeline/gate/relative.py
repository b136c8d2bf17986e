"""Checks against the champion, on the same rows; without one they skip and the others decide."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config import Gate
from pipeline.gate.facts import CandidateFacts, ChampionFacts, CheckResult, verdict


def reconstruction_vs_champion(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Is its error on the same rows no worse than the champion's, within a margin?"""
    limit = f"<= {limits.maximum_error_ratio:g} x champion"
    if champion is None:
        return _no_champion("reconstruction_vs_champion", f"{candidate.median_error:.3g}", limit)
    passed = candidate.median_error <= limits.maximum_error_ratio * champion.median_error
    return CheckResult(
        "reconstruction_vs_champion",
        verdict(passed=passed),
        value=f"{candidate.median_error:.3g}",
        limit=limit,
        champion=f"{champion.median_error:.3g}",
        reason="Median reconstruction error, in variances of the same recent normal rows.",
        measured=candidate.median_error,
    )


def alert_budget(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """How many more alerts a day would people get? Fewer is never a failure here.

    A stale champion floods people, and its successor should not; the incident museum and the
    injected faults guard against a candidate that is merely blind. One alert over the replayed
    days is granted, so that a champion without alerts does not forbid the first.
    """
    limit = f"<= {limits.alert_rate_ratio:g} x champion"
    value = f"{candidate.alerts_per_day:.2f}"
    if champion is None:
        return _no_champion("alert_budget", value, limit)
    grace = 1 / max(1, candidate.replayed_days)
    allowed = limits.alert_rate_ratio * (champion.alerts_per_day + grace)
    return CheckResult(
        "alert_budget",
        verdict(passed=candidate.alerts_per_day <= allowed),
        value=value,
        limit=limit,
        champion=f"{champion.alerts_per_day:.2f}",
        reason=f"Alerts a day over the same {candidate.replayed_days} recent days; "
        f"{allowed:.2f} are allowed.",
        measured=candidate.alerts_per_day,
    )


def incident_museum(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Are the past incidents that the champion caught still caught?"""
    limit = f">= {limits.minimum_incident_recall:.0%} of champion's"
    value = f"{len(candidate.incidents_caught)} of {candidate.incidents}"
    if champion is None:
        return _no_champion("incident_museum", value, limit)
    if not champion.incidents_caught:
        return CheckResult(
            "incident_museum",
            "skip",
            value=value,
            limit=limit,
            champion="0",
            reason="skip: the champion caught no past incident in these rows.",
        )
    lost = sorted(set(champion.incidents_caught) - set(candidate.incidents_caught))
    kept = 1 - len(lost) / len(set(champion.incidents_caught))
    return CheckResult(
        "incident_museum",
        verdict(passed=kept >= limits.minimum_incident_recall),
        value=value,
        limit=limit,
        champion=f"{len(champion.incidents_caught)} of {candidate.incidents}",
        reason=f"Not caught any more: {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}."  # noqa: PLR2004
        if lost
        else "Every past incident that the champion caught is still caught.",
        measured=kept,
    )


def fault_size_vs_champion(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Are faults still caught at the size at which the champion begins to see them?"""
    limit = f"<= {limits.maximum_fault_size_ratio:g} x champion"
    if champion is None:
        caught = sum(size is not None for size in candidate.fault_size.values())
        value = f"{caught} of {len(candidate.fault_size)} kinds caught"
        return _no_champion("fault_size_vs_champion", value, limit)
    worse = {
        kind: size
        for kind, size in champion.fault_size.items()
        if size is not None
        and not _at_most(candidate.fault_size.get(kind), limits.maximum_fault_size_ratio * size)
    }
    other = [k for k, v in candidate.fault_size.items() if v != champion.fault_size.get(k)]
    return CheckResult(
        "fault_size_vs_champion",
        verdict(passed=not worse),
        value=_sizes(candidate.fault_size, other) or "alike in every kind",
        limit=limit,
        champion=_sizes(champion.fault_size, other) or "-",
        reason=f"Blinder than the champion to {', '.join(worse)}."
        if worse
        else f"Smallest size of which {limits.minimum_fault_recall:.0%} is caught, kind by kind.",
        measured=float(len(worse)),
    )


def _no_champion(name: str, value: str, limit: str) -> CheckResult:
    return CheckResult(name, "skip", value=value, limit=limit, reason="skip: no champion yet.")


def _at_most(size: float | None, limit: float) -> bool:
    return size is not None and size <= limit


def _sizes(by_kind: dict[str, float | None], kinds: Iterable[str]) -> str:
    sizes = {kind: by_kind.get(kind) for kind in kinds}
    return ", ".join(f"{k} {'never' if v is None else f'{v:g}'}" for k, v in sizes.items())
