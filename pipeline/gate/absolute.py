"""Checks of a trained candidate alone, without the champion.

Each compares in the direction that lets a candidate pass, so that a NaN fails.
"""

from __future__ import annotations

from pipeline.config import Gate
from pipeline.evaluation.detectability import CaughtShare, Detectable
from pipeline.evaluation.rate import against_the_promise
from pipeline.gate.facts import (
    NOT_JUDGED,
    NOT_PLANTED,
    ChampionFacts,
    CheckResult,
    TrainedFacts,
    verdict,
)

NOT_APPLICABLE = "skip: not applicable; no reconstruction goes into this family's score."


def realised_rate(
    candidate: TrainedFacts, _champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Is the false-positive rate on test rows the promised one?"""
    rate = candidate.rate
    if rate is None:
        return CheckResult(
            "realised_rate",
            "fail",
            value="unknown",
            limit="inside its band",
            reason="The test block has no normal row, so the realised rate is unknown.",
        )
    low, high = rate.band
    return CheckResult(
        "realised_rate",
        verdict(passed=low <= rate.rate <= high),
        value=f"{rate.rate:.2%}",
        limit=f"{low:.2%} to {high:.2%}",
        reason=f"{rate.flagged:,} of {rate.rows:,} normal test rows "
        f"({rate.rows_effective:,.0f} independent) are above the threshold. "
        + against_the_promise(rate),
        measured=rate.rate,
    )


def not_overpowered(
    candidate: TrainedFacts, _champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does the network remove noise, or does it copy its input and with it every fault?"""
    share, limit = candidate.noise_passthrough, f"<= {limits.maximum_noise_passthrough:g}"
    if share is None:
        return _not_applicable("not_overpowered", limit)
    return CheckResult(
        "not_overpowered",
        verdict(passed=share <= limits.maximum_noise_passthrough),
        value=f"{share:.2f}",
        limit=limit,
        reason=f"{share:.0%} of added noise comes out again; a network that copies its input "
        "reconstructs faults as well.",
        measured=share,
    )


def explained_variance(
    candidate: TrainedFacts, champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Does the network explain normal rows, and about as well as a champion of its kind?"""
    share, floor = candidate.explained_variance, limits.minimum_explained_variance
    limit, before = f"> {floor:g}", None
    if share is None:
        return _not_applicable("explained_variance", limit)
    passed = share > floor
    if champion is not None and champion.same_kind and champion.explained_variance is not None:
        before = champion.explained_variance
        passed &= share >= before - limits.maximum_explained_variance_loss
        limit += f", >= champion's - {limits.maximum_explained_variance_loss:g}"
    return CheckResult(
        "explained_variance",
        verdict(passed=passed),
        value=f"{share:.3f}",
        limit=limit,
        champion="-" if before is None else f"{before:.3f}",
        reason="Share of held-out normal variance that is reconstructed; a floor, not a contest.",
        measured=share,
    )


def injected_faults(
    candidate: TrainedFacts, _champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Are faults caught that are no larger than the limit of their kind?

    The candidate has to show it: the share that was caught decides, not the upper end of its
    interval, as a version that nobody knows gets no benefit of the doubt. Nor is the lower end
    asked for, which would refuse a good detector of one channel for its few episodes. A kind that
    could not be planted was not judged, and so has not passed.

    The limits of 6 sd are those that sound detectors of real turbines, rivers and servers meet
    (75 to 96 % caught; one server, 45 %); at 4 sd four of eight do not. They are the second line:
    of eight versions whose threshold unlabelled episodes had raised, they refused three, and those
    that pass only half of 4-sd faults are for what is held back before (`pipeline.data.sustained`).
    """
    share = limits.minimum_fault_recall
    limit = ", ".join(f"{k} {_size(limits.fault_limits.get(k))}" for k in limits.required_faults)
    limit = f">= {share:.0%} at {limit}" if limit else "none required"
    unplanted = [kind for kind in limits.required_faults if kind not in candidate.detectable]
    if unplanted:
        return CheckResult(
            "injected_faults",
            "fail",
            value=NOT_JUDGED,
            limit=limit,
            reason=f"{NOT_PLANTED} (not planted: {', '.join(unplanted)})",
        )
    caught = {kind: candidate.detectable[kind].at_limit for kind in limits.required_faults}
    worst = min(caught, key=lambda kind: caught[kind].share, default=None)
    smallest = "; ".join(_smallest(kind, each) for kind, each in candidate.detectable.items())
    lowest = caught[worst].share if worst else 1.0
    return CheckResult(
        "injected_faults",
        verdict(passed=all(each.share >= share for each in caught.values())),
        value=_caught_at(worst, caught[worst]) if worst else "none required",
        limit=limit,
        reason=f"Smallest size of which {share:.0%} is caught, with its 95 % range: {smallest}.",
        measured=lowest,
    )


def _caught_at(kind: str, caught: CaughtShare) -> str:
    return f"{kind} {caught.size:g}: {caught.share:.0%} ({caught.low:.0%} to {caught.high:.0%})"


def _smallest(kind: str, found: Detectable) -> str:
    low, high = (_size(end) for end in (found.low, found.high))
    return f"{kind} {_size(found.smallest)} ({low} to {high})"


def _size(size: float | None) -> str:
    return "none" if size is None else f"{size:g}"


def drift_allows(
    candidate: TrainedFacts, _champion: ChampionFacts | None, _limits: Gate
) -> CheckResult:
    """Is the candidate fit for the data of today?"""
    return CheckResult(
        "drift_allows",
        verdict(passed=candidate.drift not in ("data fault", "model stale")),
        value=candidate.drift,
        limit="no data fault, not stale",
        reason=candidate.drift_reason,
    )


def bundle_size(
    candidate: TrainedFacts, _champion: ChampionFacts | None, limits: Gate
) -> CheckResult:
    """Is the bundle small enough to ship?"""
    return CheckResult(
        "bundle_size",
        verdict(passed=candidate.bundle_mb <= limits.maximum_bundle_mb),
        value=f"{candidate.bundle_mb:.1f} MB",
        limit=f"<= {limits.maximum_bundle_mb:g} MB",
        reason="All files of the bundle.",
        measured=candidate.bundle_mb,
    )


def latency(candidate: TrainedFacts, _champion: ChampionFacts | None, limits: Gate) -> CheckResult:
    """Does it score fast enough?"""
    return CheckResult(
        "latency",
        verdict(passed=candidate.latency_ms <= limits.maximum_latency_ms),
        value=f"{candidate.latency_ms:.0f} ms",
        limit=f"<= {limits.maximum_latency_ms:g} ms",
        reason="To score 1,000 rows, best of three.",
        measured=candidate.latency_ms,
    )


def _not_applicable(name: str, limit: str) -> CheckResult:
    return CheckResult(name, "skip", value="-", limit=limit, reason=NOT_APPLICABLE)
