"""The tests of all series, put together: what happened, and the one thing to do about it.

A difference counts when it is significant *and* large: Benjamini-Hochberg over all features and
the score, q < `warn_q`; then D >= `warn_distance` warns, and D >= `alarm_distance` or a second
warning in a row alarms. A quiet test is no proof: where the rows could not have shown even an
alarm, the result says `no power`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scipy import stats

from pipeline.config import Columns, Drift
from pipeline.data.channels import channels
from pipeline.drift.broken import BrokenChannel, broken_channels
from pipeline.drift.comparison import SCORE, Comparison, Sample, compare
from pipeline.evaluation.rate import RealisedRate

Kind = Literal["none", "data fault", "input drift", "model stale", "threshold stale"]
Action = Literal["none", "quarantine", "watch", "retrain", "recalibrate"]
Level = Literal["none", "warn", "alarm", "no power"]

ACTIONS: dict[Kind, Action] = {
    "none": "none",
    "data fault": "quarantine",
    "input drift": "watch",
    "model stale": "retrain",
    "threshold stale": "recalibrate",
}

_FEW = 10  # at most one channel in so many broken: a sensor; more at once: another regime
_HOPELESS = 3.0  # times the upper end of the band: no line could be that wrong on a good model


@dataclass(frozen=True)
class DriftResult:
    """The test of one feature, or of the score.

    Attributes:
        feature: its name; `score` for the score.
        distance: KS distance D, between 0 and 1.
        p: probability of such a distance without drift.
        q: the same, corrected for the number of tests.
        rows_reference: effective rows of the reference.
        rows_current: effective rows that were tested.
        rises: whether the median rose.
        level: what that amounts to.
    """

    feature: str
    distance: float
    p: float
    q: float
    rows_reference: float
    rows_current: float
    rises: bool
    level: Level


@dataclass(frozen=True)
class DriftVerdict:
    """What happened to the data, and the one thing to do about it.

    Attributes:
        kind: what happened.
        action: what follows from it.
        reason: one sentence with the numbers, for a person.
        results: every test, the score first.
        broken: channels that look like a broken sensor.
    """

    kind: Kind
    action: Action
    reason: str
    results: tuple[DriftResult, ...]
    broken: tuple[BrokenChannel, ...]

    def at(self, *levels: Level) -> tuple[str, ...]:
        """Names of the series at one of `levels`."""
        return tuple(result.feature for result in self.results if result.level in levels)


def judge_drift(
    reference: Sample,
    current: Sample,
    *,
    columns: Columns,
    limits: Drift,
    rate: RealisedRate | None = None,
    previous: DriftVerdict | None = None,
) -> DriftVerdict:
    """Compare `current` rows with the `reference` of a bundle (normal rows, thinned or not).

    `rate` is the flag rate on the current rows: KS hardly sees the tail that the threshold lives
    in, a rate judged against its band does. `previous` is the verdict before this one, for "two
    warnings in a row".
    """
    results = _results(reference, current, columns, limits, previous)
    broken = broken_channels(reference, current, columns)
    kind, reason = _diagnosis(results, broken, len(channels(columns)), rate)
    return DriftVerdict(kind, ACTIONS[kind], reason, results, broken)


def _results(
    reference: Sample,
    current: Sample,
    columns: Columns,
    limits: Drift,
    previous: DriftVerdict | None,
) -> tuple[DriftResult, ...]:
    places: dict[str, int | None] = {SCORE: None}
    places |= {name: place for place, name in enumerate(columns.feature_columns)}
    tests = {
        name: compare(
            reference,
            current,
            place,
            maximum_rows=limits.maximum_rows,
            level=limits.warn_q,
        )
        for name, place in places.items()
    }
    adjusted = stats.false_discovery_control([t.p for t in tests.values()], method="bh")
    warned = previous.at("warn", "alarm") if previous else ()
    return tuple(
        DriftResult(
            feature=name,
            distance=test.distance,
            p=test.p,
            q=float(q),
            rows_reference=test.rows_reference,
            rows_current=test.rows_current,
            rises=test.rises,
            level=_level(test, float(q), limits, warned=name in warned),
        )
        for (name, test), q in zip(tests.items(), adjusted, strict=True)
    )


def _level(test: Comparison, q: float, limits: Drift, *, warned: bool) -> Level:
    if q < limits.warn_q and test.distance >= limits.warn_distance:
        return "alarm" if warned or test.distance >= limits.alarm_distance else "warn"
    return "no power" if test.visible > limits.alarm_distance else "none"


def _diagnosis(
    results: tuple[DriftResult, ...],
    broken: tuple[BrokenChannel, ...],
    n_channels: int,
    rate: RealisedRate | None,
) -> tuple[Kind, str]:
    """What happened, from three observations: the features, the score, and the flag rate.

    1. A few channels broke and the rest did not: *data fault*. First, because a broken sensor
       drags the score along and retraining on it would teach the fault.
    2. The score rose (or too much is flagged) and features moved: *model stale*. The rows lie
       where the network has not learnt, so a new line would only hide that.
    3. The score moved although no feature did, or it fell, or the flag rate left its band:
       *threshold stale*. The network is where it was trained; only its error level changed, and
       redrawing the line is the cheap cure. Not when the rate is many times its band: then
       what the features mean to each other has changed, and the model is stale after all.
    4. Features moved and the score did not: *input drift*. The model copes; watch.
    """
    score = results[0]
    moved = [r for r in results[1:] if r.level == "alarm"]
    named = _named(moved)
    accused = {b.channel for b in broken}
    if accused and len(accused) <= max(1, n_channels // _FEW):
        return "data fault", "; ".join(_accusation(b) for b in broken) + "."
    rises = (score.level == "alarm" and score.rises) or _is(rate, "above")
    if rises and moved:
        return "model stale", f"{_score(score, rate)}, and so did {named}."
    if rate is not None and rate.rate > _HOPELESS * rate.band[1]:
        return "model stale", f"{_score(score, rate)}: no threshold is that wrong by itself."
    if score.level == "alarm" or (rate is not None and rate.verdict != "inside"):
        return "threshold stale", f"{_score(score, rate)}; {named or 'no feature'} moved."
    if moved:
        return "input drift", f"{named} moved; {_score(score, rate)}."
    return "none", _quiet(results)


def _is(rate: RealisedRate | None, verdict: str) -> bool:
    return rate is not None and rate.verdict == verdict


def _accusation(broken: BrokenChannel) -> str:
    where = f"{broken.channel} of {broken.entity}" if broken.entity else broken.channel
    return f"{where} is {broken.sign} in {broken.share:.0%} of its rows"


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
            f" ({', '.join(blind[:3])}{', ...' if len(blind) > 3 else ''}): use a longer window."  # noqa: PLR2004
        )
    return text
