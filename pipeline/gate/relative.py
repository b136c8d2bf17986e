"""Checks against the champion, on the same rows; without a champion they are skipped."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pipeline.config import Gate
from pipeline.gate.facts import (
    NOT_JUDGED,
    NOT_PLANTED,
    CandidateFacts,
    ChampionFacts,
    CheckResult,
    verdict,
)

_OTHER_KIND = (
    "skip: not applicable; the two differ in family or loss, or one has no reconstruction, so "
    "their errors are not comparable."
)


def reconstruction_vs_champion(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Is the error on the same rows no worse than the champion's, within a margin?"""
    name, limit = "reconstruction_vs_champion", f"<= {limits.maximum_error_ratio:g} x champion"
    error = candidate.median_error
    value = "-" if error is None else f"{error:.3g}"
    if champion is None:
        return _no_champion(name, value, limit)
    before = champion.median_error
    if error is None or before is None or not champion.same_kind:
        return CheckResult(name, "skip", value=value, limit=limit, reason=_OTHER_KIND)
    return CheckResult(
        name,
        verdict(passed=error <= limits.maximum_error_ratio * before),
        value=value,
        limit=limit,
        champion=f"{before:.3g}",
        reason="Median reconstruction error, in variances of the same recent normal rows.",
        measured=error,
    )


def rank_agreement(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does the candidate rank rows about as the champion does?

    The only comparison that needs neither a threshold nor a reconstruction. It shows that the two
    rank rows differently, not which of them is right. Healthy families agree at least twice as well
    as the limit asks, so it fails only for a candidate that is clearly broken.
    """
    found, limit = candidate.rank_agreement, f">= {limits.minimum_rank_agreement:g}"
    value = "-" if found is None else f"{found:.2f}"
    if champion is None:
        return _no_champion("rank_agreement", value, limit)
    if found is None:
        reason = "skip: one of the two scores is the same for every row; see injected faults."
        return CheckResult("rank_agreement", "skip", value=value, limit=limit, reason=reason)
    return CheckResult(
        "rank_agreement",
        verdict(passed=found >= limits.minimum_rank_agreement),
        value=value,
        limit=limit,
        reason="Spearman correlation of both scores on the same recent rows; 1: the same order.",
        measured=found,
    )


def alert_budget(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Would there be too many more alerts a day, or far fewer because the candidate is blind?

    A stale champion raises too many alerts, and its successor should not: fewer alerts alone are no
    failure, or the gate would reject the very candidate that is needed. But a blind candidate has
    few alerts as well. So a candidate with fewer alerts by the ratio must catch something: a kind
    of injected fault at some size, or a past incident; `fault_size_vs_champion` and
    `confirmed_incidents` then compare with the champion. One alert over the replayed days is
    allowed, so that a champion without alerts does not rule out the first.
    """
    limit = f"<= {limits.alert_rate_ratio:g} x champion"
    value = f"{candidate.alerts_per_day:.2f}"
    if champion is None:
        return _no_champion("alert_budget", value, limit)
    grace = 1 / max(1, candidate.replayed_days)
    allowed = limits.alert_rate_ratio * (champion.alerts_per_day + grace)
    quiet = candidate.alerts_per_day + grace < champion.alerts_per_day / limits.alert_rate_ratio
    blind = quiet and not _catches_something(candidate)
    reason = f"Alerts a day over the same {candidate.replayed_days} recent days; "
    reason += f"{allowed:.2f} are allowed."
    if quiet:
        reason += " Far fewer than the champion's" + (
            ", and no injected fault and no past incident is caught: it may detect nothing."
            if blind
            else ": welcome, as injected faults or past incidents are caught."
        )
    return CheckResult(
        "alert_budget",
        verdict(passed=candidate.alerts_per_day <= allowed and not blind),
        value=value,
        limit=limit,
        champion=f"{champion.alerts_per_day:.2f}",
        reason=reason,
        measured=candidate.alerts_per_day,
    )


def confirmed_incidents(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Are the past incidents that the champion caught still caught?"""
    limit = f">= {limits.minimum_incident_recall:.0%} of champion's"
    value = f"{len(candidate.incidents_caught)} of {candidate.incidents}"
    if champion is None:
        return _no_champion("confirmed_incidents", value, limit)
    if not champion.incidents_caught:
        return CheckResult(
            "confirmed_incidents",
            "skip",
            value=value,
            limit=limit,
            champion="0",
            reason="skip: the champion caught no past incident in these rows.",
        )
    lost = sorted(set(champion.incidents_caught) - set(candidate.incidents_caught))
    kept = 1 - len(lost) / len(set(champion.incidents_caught))
    return CheckResult(
        "confirmed_incidents",
        verdict(passed=kept >= limits.minimum_incident_recall),
        value=value,
        limit=limit,
        champion=f"{len(champion.incidents_caught)} of {candidate.incidents}",
        reason=f"Not caught any more: {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}."  # noqa: PLR2004 - as many as it names
        if lost
        else "Every past incident that the champion caught is still caught.",
        measured=kept,
    )


def fault_size_vs_champion(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Are faults still caught at about the smallest size that the champion catches?"""
    limit = f"<= {limits.maximum_fault_size_ratio:g} x champion"
    if champion is None:
        caught = sum(size is not None for size in candidate.fault_size.values())
        value = f"{caught} of {len(candidate.fault_size)} kinds caught"
        return _no_champion("fault_size_vs_champion", value, limit)
    if not candidate.fault_size and not champion.fault_size:
        return CheckResult(
            "fault_size_vs_champion",
            "skip",
            value=NOT_JUDGED,
            limit=limit,
            reason=f"skip: {NOT_PLANTED}",
        )
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


def _catches_something(candidate: CandidateFacts) -> bool:
    sizes = [size for size in candidate.fault_size.values() if size is not None]
    return bool(candidate.incidents_caught) or any(math.isfinite(size) for size in sizes)


def _no_champion(name: str, value: str, limit: str) -> CheckResult:
    return CheckResult(name, "skip", value=value, limit=limit, reason="skip: no champion yet.")


def _at_most(size: float | None, limit: float) -> bool:
    return size is not None and size <= limit


def _sizes(by_kind: dict[str, float | None], kinds: Iterable[str]) -> str:
    sizes = {kind: by_kind.get(kind) for kind in kinds}
    return ", ".join(f"{k} {'never' if v is None else f'{v:g}'}" for k, v in sizes.items())
