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
    """The kind of drift from three observations: the features, the score, and the flag rate.

    1. A few channels broke and the rest did not: *data fault*. First, because a broken sensor
       drags the score along and retraining on it would teach the fault. A channel that the score
       leaves out already (muted) drags nothing: it is reported last.
    2. The score rose (or too much is flagged) and features moved: *model stale*. The rows lie
       where the network was not trained, so a new threshold would only hide that.
       Also where the rate is many times its band: the relations between the features have changed.
    3. The score rose beyond the last accepted state, whether or not a recalibration has followed
       it since, and the features do not explain it: *degradation*. A new threshold would teach the
       fault; a person has to look.
    4. The score fell, or rose only to where the accepted state had it, or the flag rate left its
       band likewise: *threshold stale*. The network is where it was trained, only its error level
       changed, and recalibration is the cheap cure.
    5. Features moved and the score did not: *input drift*. The model copes; watch.
    """
    known = tuple(b for b in evidence.broken if b.muted)
    fresh = tuple(b for b in evidence.broken if not b.muted)
    if _few(fresh, n_channels):
        return "data fault", _accusations(fresh)
    moved = [r for r in results[1:] if r.level == "alarm" and r.feature != ACCEPTED]
    if found := _about_score(results, moved, evidence):
        return found
    if _few(known, n_channels):
        return "data fault", _accusations(known)
    if moved:
        return "input drift", f"{_named(moved)} moved; {_score(results[0], evidence.rate)}."
    return "none", _quiet(results)


def _about_score(
    results: tuple[DriftResult, ...], moved: list[DriftResult], evidence: VerdictEvidence
) -> tuple[Kind, str] | None:
    """Points 2 to 4: the model, the plant, else the threshold; None while all hold."""
    score, rate = results[0], evidence.rate
    rises = _rose(score) or _is(rate, "above")
    if rises and moved:
        return "model stale", f"{_score(score, rate)}, and so did {_named(moved)}."
    if rate is not None and rate.rate > _HOPELESS * rate.band[1]:
        return "model stale", f"{_score(score, rate)}: no threshold is that wrong by itself."
    named = _named(moved) or "no feature"
    if _is_beyond(results, evidence):
        return "degradation", _growth(results, evidence, named)
    if score.level == "alarm" or (rate is not None and rate.verdict != "inside"):
        return "threshold stale", f"{_score(score, rate)}; {named} moved.{_known(results)}"
    return None


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
    return 0 < len({b.channel for b in broken}) <= max(1, n_channels // _FEW)


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


def _quiet(results: tuple[DriftResult, ...]) -> str:
    warned = [r for r in results if r.level == "warn"]
    blind = [r.feature for r in results if r.level == "no power"]
    text = f"Warned, first time: {_named(warned)}." if warned else "Nothing moved that matters."
    if blind:
        text += (
            f" Too few independent rows to judge {len(blind)} of {len(results)} series"
            f" ({', '.join(blind[:3])}{', ...' if len(blind) > 3 else ''}): use a longer window."  # noqa: PLR2004 - as many as it names
        )
    return text
