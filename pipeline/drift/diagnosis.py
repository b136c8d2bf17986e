"""The verdict from the tests: the kind of drift, and the sentence that gives the reason."""

from __future__ import annotations

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.result import ACTIONS, DriftResult, DriftVerdict, Kind
from pipeline.evaluation.rate import RealisedRate

_FEW = 10  # at most one channel in so many broken: a sensor; more at once: another regime
_HOPELESS = 3.0  # times the upper end of the band: no threshold is that wrong on a good model


def diagnose(
    results: tuple[DriftResult, ...],
    broken: tuple[BrokenChannel, ...],
    rate: RealisedRate | None,
    *,
    n_channels: int,
    apart: str = "",
) -> DriftVerdict:
    """The verdict from the tests (the score first), the sensors and the flag rate.

    `apart` names the entity that tests and rate leave out, for the reason.
    """
    kind, reason = _diagnosis(results, broken, n_channels, rate)
    if apart:
        reason += f" Without {apart}, the only one that is flagged: an incident of its own."
    return DriftVerdict(kind, ACTIONS[kind], reason, results, broken, rate, apart)


def _diagnosis(
    results: tuple[DriftResult, ...],
    broken: tuple[BrokenChannel, ...],
    n_channels: int,
    rate: RealisedRate | None,
) -> tuple[Kind, str]:
    """The kind of drift from three observations: the features, the score, and the flag rate.

    1. A few channels broke and the rest did not: *data fault*. First, because a broken sensor
       drags the score along and retraining on it would teach the fault. A channel that the score
       leaves out already (muted) drags nothing: it is reported last.
    2. The score rose (or too much is flagged) and features moved: *model stale*. The rows lie
       where the network was not trained, so a new threshold would only hide that.
    3. The score moved although no feature did, or it fell, or the flag rate left its band:
       *threshold stale*. The network is where it was trained; only its error level changed, and
       recalibration is the cheap cure. Not when the rate is many times its band: then the
       relations between the features have changed, and the model is stale after all.
    4. Features moved and the score did not: *input drift*. The model copes; watch.
    """
    known = tuple(b for b in broken if b.muted)
    fresh = tuple(b for b in broken if not b.muted)
    if _few(fresh, n_channels):
        return "data fault", _accusations(fresh)
    moved = [r for r in results[1:] if r.level == "alarm"]
    if stale := _stale(results[0], moved, rate):
        return stale
    if _few(known, n_channels):
        return "data fault", _accusations(known)
    if moved:
        return "input drift", f"{_named(moved)} moved; {_score(results[0], rate)}."
    return "none", _quiet(results)


def _stale(
    score: DriftResult, moved: list[DriftResult], rate: RealisedRate | None
) -> tuple[Kind, str] | None:
    """Points 2 and 3: the model, else its threshold; None while both hold."""
    rises = (score.level == "alarm" and score.rises) or _is(rate, "above")
    if rises and moved:
        return "model stale", f"{_score(score, rate)}, and so did {_named(moved)}."
    if rate is not None and rate.rate > _HOPELESS * rate.band[1]:
        return "model stale", f"{_score(score, rate)}: no threshold is that wrong by itself."
    if score.level == "alarm" or (rate is not None and rate.verdict != "inside"):
        named = _named(moved) or "no feature"
        return "threshold stale", f"{_score(score, rate)}; {named} moved."
    return None


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
