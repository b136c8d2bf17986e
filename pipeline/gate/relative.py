"""Checks of trained weights against the champion's on the same rows; skipped without a champion."""

from __future__ import annotations

import math

from pipeline.config import Gate
from pipeline.gate.facts import (
    ChampionFacts,
    CheckResult,
    OpenShift,
    TrainedFacts,
    no_champion,
    verdict,
)

_STILL_OUTSIDE = 0.5
"""Of a shift's rows. Where a tenth of a shift trains, next to none is left outside; the ends of two
clean windows differ, and with them a quarter of the rows of a shift that hardly leaves the range
(made plant of benchmarks/lasting)."""

_SIGMAS = 1.96  # of 95 %, both sides
_OTHER_KIND = (
    "skip: not applicable; the two differ in family or loss, or one has no reconstruction, so "
    "their errors are not comparable."
)


def reconstruction_vs_champion(
    candidate: TrainedFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Is the error on the same rows no worse than the champion's, within a margin?"""
    name, limit = "reconstruction_vs_champion", f"<= {limits.maximum_error_ratio:g} x champion"
    error = candidate.median_error
    value = "-" if error is None else f"{error:.3g}"
    if champion is None:
        return no_champion(name, value, limit)
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
    candidate: TrainedFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does the candidate rank rows about as the champion does?

    The only comparison that needs neither a threshold nor a reconstruction. It shows that the two
    rank rows differently, not which of them is right. Healthy families agree at least twice as well
    as the limit asks, so it fails only for a candidate that is clearly broken.
    """
    found, limit = candidate.rank_agreement, f">= {limits.minimum_rank_agreement:g}"
    value = "-" if found is None else f"{found:.2f}"
    if champion is None:
        return no_champion("rank_agreement", value, limit)
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


def open_cases(
    candidate: TrainedFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does the candidate still flag what is open, as the champion does without muting?

    A fault that stays would otherwise become normal with the next training. It passes as well where
    it flags fewer rows by no more than chance: the 95 % error of the paired difference.
    """
    name, limit = "open_cases", f">= {limits.minimum_open_case_recall:.0%} of champion's"
    flags = candidate.open_cases
    if champion is None:
        return no_champion(name, "-", limit)
    if flags is None or flags.rows == 0:
        reason = "skip: no row of an open case is in the training window"
        if days := candidate.unscored_days:
            reason += f", but {days} of its days were never scored, so nobody looked at them"
        reason += "."
        return CheckResult(name, "skip", value="-", limit=limit, reason=reason)
    enough = flags.candidate >= limits.minimum_open_case_recall * flags.champion
    error = _SIGMAS * math.sqrt(flags.lost + flags.gained)
    by_chance = flags.lost - flags.gained <= error
    return CheckResult(
        name,
        verdict(passed=enough or by_chance),
        value=f"{flags.candidate / flags.rows:.0%}",
        limit=limit,
        champion=f"{flags.champion / flags.rows:.0%}",
        reason=f"Flagged of {flags.rows:,} rows of open cases, none of which trained it as it was "
        "measured. Where it fails, it takes for normal what is open: answer the case "
        "(python -m pipeline cases; --all shows closed ones too), if this is normal from now on.",
        measured=flags.candidate / flags.rows,
    )


def open_shifts(
    candidate: TrainedFacts, champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Do the candidate's training ranges leave open shifts outside, as the champion's do?

    A shifted channel is recognised, muted and told by its training range. Rows of the shift that
    train, because its case begins later or is of another kind, would make it disappear unanswered.
    """
    name, limit = "open_shifts", f">= {_STILL_OUTSIDE:.0%} of champion's"
    shifts = candidate.open_shifts
    if champion is None:
        return no_champion(name, "-", limit)
    if not shifts:
        reason = "skip: no row of an open shift is in the training window."
        return CheckResult(name, "skip", value="-", limit=limit, reason=reason)
    shares = [shift.outside / shift.rows for shift in shifts]
    swallowed = [
        shift for shift, share in zip(shifts, shares, strict=True) if not share >= _STILL_OUTSIDE
    ]
    rows = sum(shift.rows for shift in shifts)
    reason = f"Least share, by channel, of {rows:,} rows of open shifts outside its range."
    if swallowed:
        named = ", ".join(map(_named, swallowed))
        reason = (
            f"Its training range holds rows of the open shift of {named}, so nobody would hear of "
            "it again: answer the case (python -m pipeline cases), then train again."
        )
    # Of several the first that is not a number, if there is one: `min` would pass it over.
    worst = next((share for share in shares if math.isnan(share)), min(shares))
    return CheckResult(
        name,
        verdict(passed=not swallowed),
        value=f"{worst:.0%}",
        limit=limit,
        champion="100%",
        reason=reason,
        measured=worst,
    )


def _named(shift: OpenShift) -> str:
    return f"{shift.channel} of {shift.machine}" if shift.machine else shift.channel
