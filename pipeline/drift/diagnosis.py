"""The verdict from the tests: the kind of drift, and the sentence that gives the reason."""

from __future__ import annotations

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.comparison import ACCEPTED
from pipeline.drift.result import (
    DriftResult,
    DriftVerdict,
    Kind,
    VerdictEvidence,
    verdict_with,
)
from pipeline.evaluation.rate import RealisedRate

_SHOWN = 3
_FEW = 10  # at most one channel in so many broken: a sensor; more at once: another regime
_HOPELESS = 3.0  # times the upper end of the band: no threshold is that wrong on a good model

LEAST_ACCEPTED = 66.0
"""Effective rows of the accepted state. Of fewer, no distance that alarms (0.2) would be
significant (0.01), with however many rows they are compared."""


def diagnose(
    results: tuple[DriftResult, ...], evidence: VerdictEvidence, *, n_channels: int
) -> DriftVerdict:
    """The verdict from the tests (the score first) and all other evidence."""
    kind, reason = _diagnosis(results, evidence, n_channels)
    if evidence.apart:
        reason += (
            f" Without {evidence.apart}, the only one that is flagged: an incident of its own."
        )
    return verdict_with(kind, reason, results, evidence)


def may_be_beyond(verdict: DriftVerdict) -> bool:
    """Whether it says that the score rose beyond the accepted state, or may come to say so.

    A second warning in a row makes an alarm of a warning.
    """
    score = accepted_test(verdict.results)
    warned = score.level in ("warn", "alarm") and score.rises
    return verdict.kind == "degradation" or warned


def _diagnosis(
    results: tuple[DriftResult, ...], evidence: VerdictEvidence, n_channels: int
) -> tuple[Kind, str]:
    """The kind of drift from the features, the score, the flag rate, and the channels' relations.

    1. A few channels broke and the rest did not, or a repair of one channel takes back what the
       score has risen by: *data fault*. First, because a broken sensor drags the score along, and
       retraining or recalibrating on it would teach the fault. A channel that the score leaves out
       already (muted) drags nothing: it is reported last.
    2. The score rose (or too much is flagged) and more than a few features moved: *model stale*.
       The rows lie where the network was not trained, so a new threshold would only hide that. One
       channel that moved is no new regime: it may be a fault that repairs do not know.
    3. The score rose beyond the last accepted state, whether or not a recalibration has followed
       it since, and the features do not explain it; or the rate is many times its band; or the
       other channels explain one far worse than they did: *degradation*. A new threshold or model
       would teach the fault; a person has to look.
    4. The score fell, or rose only to where the accepted state had it, or the flag rate left its
       band likewise: *threshold stale*. The network is where it was trained, only its error level
       changed, and recalibration is the cheap cure.
    5. Features moved and the score did not: *input drift*. The model copes; watch.
    6. The score could not have shown even an alarm: *not judged*.
    """
    moved = [r for r in results[1:] if r.level == "alarm" and r.feature != ACCEPTED]
    fresh = tuple(b for b in evidence.broken if not b.muted)
    # A few that broke have moved as well, and speak for no regime.
    alone = len({b.channel for b in fresh}) if _few(fresh, n_channels) else 0
    many = len(moved) - alone > _most_few(n_channels)
    return (
        _data_fault(evidence, n_channels, regime=many)
        or _about_score(results, moved, evidence, regime=many)
        or _muted_fault(evidence, n_channels)
        or _without_rise(results, moved, evidence)
    )


def _data_fault(
    evidence: VerdictEvidence, n_channels: int, *, regime: bool
) -> tuple[Kind, str] | None:
    if evidence.repair is not None:
        return "data fault", f"{evidence.repair.sentence}."
    fresh = tuple(b for b in evidence.broken if not b.muted)
    # In a new regime some channels leave their range, and others move within it.
    if _few(fresh, n_channels) and not regime:
        return "data fault", _accusations(fresh)
    return None


def _about_score(
    results: tuple[DriftResult, ...],
    moved: list[DriftResult],
    evidence: VerdictEvidence,
    *,
    regime: bool,
) -> tuple[Kind, str] | None:
    """Points 2 to 4: the model, the plant, else the threshold; None while all hold."""
    score, rate = results[0], evidence.rate
    if regime and (_rose(score) or _is(rate, "above")):
        return "model stale", f"{_score(score, rate)}, and so did {_named(moved)}."
    named = _named(moved) or "no feature"
    hopeless = rate is not None and rate.rate > _HOPELESS * rate.band[1]
    if hopeless or _is_beyond(results, evidence):
        return "degradation", _growth(results, evidence, named)
    if evidence.grown and not regime:
        return "degradation", _unlike(evidence)
    if score.level == "alarm" or (rate is not None and rate.verdict != "inside"):
        return "threshold stale", f"{_score(score, rate)}; {named} moved.{_known(results)}"
    return None


def _muted_fault(evidence: VerdictEvidence, n_channels: int) -> tuple[Kind, str] | None:
    known = tuple(b for b in evidence.broken if b.muted)
    return ("data fault", _accusations(known)) if _few(known, n_channels) else None


def _without_rise(
    results: tuple[DriftResult, ...], moved: list[DriftResult], evidence: VerdictEvidence
) -> tuple[Kind, str]:
    """Points 5 and 6."""
    if moved:
        return "input drift", f"{_named(moved)} moved; {_score(results[0], evidence.rate)}."
    return "not judged" if _is_blind(results) else "none", _quiet(results)


def _is_beyond(results: tuple[DriftResult, ...], evidence: VerdictEvidence) -> bool:
    """Whether scores or flags are beyond what the accepted state had."""
    score, rate = accepted_test(results), evidence.rate
    if score.rows_reference < LEAST_ACCEPTED:
        return False
    if _rose(score):
        return True
    allowed = evidence.accepted_rate
    return rate is not None and rate.verdict == "above" and (allowed is None or rate.rate > allowed)


def accepted_test(results: tuple[DriftResult, ...]) -> DriftResult:
    """The score's test against the accepted state, which may be the reference."""
    return next((r for r in results if r.feature == ACCEPTED), results[0])


def _unlike(evidence: VerdictEvidence) -> str:
    """Errors have grown that the score may be too weak to show."""
    named = ", ".join(
        f"{each.channel} ({each.times:.1f} times)" for each in evidence.grown[:_SHOWN]
    )
    return f"On most days the other channels explain {named} far worse than in the accepted state."


def _growth(results: tuple[DriftResult, ...], evidence: VerdictEvidence, named: str) -> str:
    score = accepted_test(results)
    text = f"{_score(results[0], evidence.rate)}; {named} moved."
    if score.feature == ACCEPTED and _rose(score):
        text += f" Since the last accepted state the score has risen (D {score.distance:.2f})."
    carriers = evidence.carriers.sentence
    return text + (f" Most of it: {carriers}." if carriers else "")


def _known(results: tuple[DriftResult, ...]) -> str:
    """That a rise only leads back to the accepted state; empty where nothing shows that."""
    accepted = accepted_test(results)
    shown = accepted.feature == ACCEPTED and accepted.level != "no power"
    return " The last accepted state had such scores." if shown and _rose(results[0]) else ""


def _rose(score: DriftResult) -> bool:
    return score.level == "alarm" and score.rises


def _few(broken: tuple[BrokenChannel, ...], n_channels: int) -> bool:
    return 0 < len({b.channel for b in broken}) <= _most_few(n_channels)


def _most_few(n_channels: int) -> int:
    return max(1, n_channels // _FEW)


def _is(rate: RealisedRate | None, verdict: str) -> bool:
    return rate is not None and rate.verdict == verdict


def _accusations(broken: tuple[BrokenChannel, ...]) -> str:
    return "; ".join(_accusation(b) for b in broken) + "."


def _accusation(broken: BrokenChannel) -> str:
    where = f"{broken.channel} of {broken.entity}" if broken.entity else broken.channel
    muted = " (muted)" if broken.muted else ""
    return f"{where} is {broken.sign} in {broken.share:.0%} of its rows{muted}"


def _named(moved: list[DriftResult], most: int = 3) -> str:
    largest = sorted(moved, key=lambda result: -result.distance)
    shown = ", ".join(f"{r.feature} (D {r.distance:.2f})" for r in largest[:most])
    return shown + (f" and {len(moved) - most} more" if len(moved) > most else "")


def _score(score: DriftResult, rate: RealisedRate | None) -> str:
    way = {
        "alarm": "rose" if score.rises else "fell",
        "no power": "has too few independent rows to judge",
    }.get(score.level, "stayed")
    text = f"the score {way} (D {score.distance:.2f})"
    if rate is not None:
        text += (
            f", {rate.rate:.2%} of rows are flagged (band {rate.band[0]:.2%} to {rate.band[1]:.2%})"
        )
    return text


def _is_blind(results: tuple[DriftResult, ...]) -> bool:
    """Whether the score could not have shown even an alarm."""
    return accepted_test(results).level == results[0].level == "no power"


def _quiet(results: tuple[DriftResult, ...]) -> str:
    warned = [r for r in results if r.level == "warn"]
    blind = [r.feature for r in results if r.level == "no power"]
    quiet = "The score was not judged." if _is_blind(results) else "Nothing moved that matters."
    text = f"Warned, first time: {_named(warned)}." if warned else quiet
    if blind:
        text += (
            f" Too few independent rows to judge {len(blind)} of {len(results)} series"
            f" ({', '.join(blind[:3])}{', ...' if len(blind) > 3 else ''}): use a longer window."  # noqa: PLR2004 - as many as it names
        )
    return text
