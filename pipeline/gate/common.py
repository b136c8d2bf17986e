"""Checks that any candidate answers, trained or recalibrated.

Each compares in the direction that lets a candidate pass, so that a NaN fails. Against the champion
they compare on the same rows; without one they are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from scipy import stats

from pipeline.config import Gate
from pipeline.evaluation.paired import FaultLoss
from pipeline.gate.facts import (
    NOT_JUDGED,
    NOT_PLANTED,
    CandidateFacts,
    ChampionFacts,
    CheckResult,
    no_champion,
    verdict,
)

_NAMED = 3
_UNLIKELY = 0.05
_Sizes = dict[str, float | None]


def enough_rows(
    candidate: CandidateFacts, _champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Was the threshold estimated from enough independent rows, or is it provisional?

    Few rows are no fault of a candidate: it goes live as provisional, and says so.
    """
    words, rows = candidate.words, candidate.rows_effective
    enough = rows >= limits.minimum_calibration_rows
    return CheckResult(
        words.rows_check,
        verdict(passed=rows > 0),
        value=f"{rows:,.0f}" if enough else f"{rows:,.0f}, provisional",
        limit=f">= {limits.minimum_calibration_rows:,}, else provisional",
        reason=f"{candidate.rows:,} {words.rows} are worth {rows:,.0f} independent ones; lengthen "
        f"{words.more_rows} for more."
        + (
            ""
            if enough
            else " Until there are enough the version is provisional, and its threshold is "
            "estimated anew each week."
        ),
        measured=rows,
    )


def alert_budget(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Would there be too many more alerts a day, or far fewer because the candidate is blind?

    A stale champion raises too many alerts, and its successor should not: fewer alerts alone are no
    failure, or the gate would reject the very candidate that is needed. But a blind candidate has
    few alerts as well. So trained weights with fewer alerts by the ratio must catch something: a
    kind of injected fault at some size, or a past incident; the checks of faults and incidents then
    compare with the champion. A recalibrated candidate has the champion's weights, which see what
    they saw. One alert over the replayed days is allowed, so that a champion without alerts does
    not rule out the first. Few alerts are counts, and count by chance: more than is allowed fails
    only where two counts of the allowed ratio would hardly differ so much (5 %; 7 against 1 may).
    """
    limit = f"<= {limits.alert_rate_ratio:g} x champion"
    value = f"{candidate.alerts_per_day:.2f}"
    if champion is None:
        return no_champion("alert_budget", value, limit)
    grace = 1 / max(1, candidate.days)
    allowed = limits.alert_rate_ratio * (champion.alerts_per_day + grace)
    by_chance = candidate.alerts_per_day > allowed and _may_be_chance(candidate, champion, limits)
    fewer = candidate.alerts_per_day + grace < champion.alerts_per_day / limits.alert_rate_ratio
    quiet = fewer and candidate.kind == "trained"
    blind = quiet and not _catches_something(candidate)
    reason = f"Alerts a day over {candidate.words.days.format(candidate.days)}; "
    reason += f"{allowed:.2f} are allowed."
    if by_chance:
        reason += " So few may be more by chance."
    if quiet:
        reason += " Far fewer than the champion's" + (
            ", and no injected fault and no past incident is caught: it may detect nothing."
            if blind
            else ": welcome, as injected faults or past incidents are caught."
        )
    return CheckResult(
        "alert_budget",
        verdict(passed=(candidate.alerts_per_day <= allowed or by_chance) and not blind),
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
    words, limit = candidate.words, f">= {limits.minimum_incident_recall:.0%} of champion's"
    value = f"{len(candidate.incidents_caught)} of {candidate.incidents}"
    if champion is None:
        return no_champion("confirmed_incidents", value, limit)
    before = set(champion.incidents_caught)
    if not before:
        return CheckResult(
            "confirmed_incidents",
            "skip",
            value=value,
            limit=limit,
            champion="0",
            reason=f"skip: {words.nothing_caught}.",
        )
    lost = sorted(before - set(candidate.incidents_caught))
    kept = 1 - len(lost) / len(before)
    named = f"{', '.join(lost[:_NAMED])}{', ...' if len(lost) > _NAMED else ''}"
    return CheckResult(
        "confirmed_incidents",
        verdict(passed=kept >= limits.minimum_incident_recall),
        value=value,
        limit=limit,
        champion=f"{len(before)} of {candidate.incidents}",
        reason=f"Not caught any more: {named}.{words.incidents_lost}"
        if lost
        else words.incidents_kept,
        measured=kept,
    )


def fault_size(
    candidate: CandidateFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does it catch about as many injected faults as the champion, episode by episode?

    Both get the same episodes. A kind fails if significantly fewer of them are caught (95 %) and so
    many fewer that it matters: two sound networks differ a little, and chance is no fault.
    """
    words, limit = candidate.words, f"<= {limits.maximum_fault_loss:.0%} fewer, or by chance"
    sizes = candidate.fault_size
    if champion is None:
        caught = sum(size is not None for size in sizes.values())
        return no_champion(words.size_check, f"{caught} of {len(sizes)} kinds caught", limit)
    if not sizes and not champion.fault_size:
        return CheckResult(
            words.size_check,
            "skip",
            value=NOT_JUDGED,
            limit=limit,
            reason=f"skip: {NOT_PLANTED}",
        )
    losses = candidate.fault_loss
    unpaired = [kind for kind in champion.fault_size if not _measured(kind, candidate)]
    larger = [kind for kind, loss in losses.items() if not _small(loss, limits)]
    worse = list(dict.fromkeys(larger + unpaired))
    most = max(losses, key=lambda kind: losses[kind].share, default=None)
    named = worse or ([most] if most else [])
    return CheckResult(
        words.size_check,
        verdict(passed=not worse),
        value=", ".join(f"{kind} {_fewer(losses.get(kind))}" for kind in named),
        limit=limit,
        champion=_shown(champion.fault_size, named) or "-",
        reason=f"Blinder than {words.champion} to {', '.join(worse)}.{words.sizes_lost}"
        if worse
        else f"The same injected faults, over all sizes: caught by {words.champion} alone and by "
        "this one alone, kind by kind.",
        measured=losses[most].share if most else None,
    )


def _may_be_chance(candidate: CandidateFacts, champion: ChampionFacts, limits: Gate) -> bool:
    """Whether so many alerts more are likely enough at the allowed ratio (two Poisson counts)."""
    now, before = (
        round(each * candidate.days) for each in (candidate.alerts_per_day, champion.alerts_per_day)
    )
    share = limits.alert_rate_ratio / (1 + limits.alert_rate_ratio)
    return bool(stats.binom.sf(now - 1, now + before, share) > _UNLIKELY)


def _catches_something(candidate: CandidateFacts) -> bool:
    sizes = [size for size in candidate.fault_size.values() if size is not None]
    return bool(candidate.incidents_caught) or any(math.isfinite(size) for size in sizes)


def _small(loss: FaultLoss, limits: Gate) -> bool:
    """Whether a loss may be chance, or is too small to matter; false for NaN."""
    return loss.surely <= 0 or loss.share <= limits.maximum_fault_loss


def _measured(kind: str, candidate: CandidateFacts) -> bool:
    size = candidate.fault_size.get(kind, math.nan)
    return kind in candidate.fault_loss and not (size is not None and math.isnan(size))


def _fewer(loss: FaultLoss | None) -> str:
    return "not planted in both" if loss is None else f"{-loss.share:+.0%} caught"


def _shown(sizes: _Sizes, kinds: Iterable[str]) -> str:
    found = ((kind, sizes.get(kind)) for kind in kinds)
    return ", ".join(f"{k} {'never' if v is None else f'{v:g}'}" for k, v in found)
