"""A threshold as it is operated: weekly while it is provisional, monthly, asking at a bound.

No drift verdict asks for a recalibration, and nobody labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.lasting.recalibration import kept_scores
from pipeline.config import DetectorSpec
from pipeline.data.grid import day_number, days_between
from pipeline.data.timeline import Mask, Timeline, subset
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError
from pipeline.incidents.joining import joined
from pipeline.incidents.parts import ANOMALY, REGIME, IncidentPart, largest_gaps
from pipeline.monitoring.provisional import EVERY, due, provisional
from pipeline.recalibration import (
    Anchor,
    Memory,
    Recalibrated,
    WindowRows,
    accepted_anchor,
    recalibrate,
    unforced_anchor,
)
from pipeline.utc_day import DAY_NS, ONE_DAY, midnight

ANSWERED_AFTER = timedelta(days=3)
_REVIEWER = "a reviewer who looks at nothing"

AskedGate = Callable[[WindowRows, Recalibrated, ThresholdEstimate, str], tuple[str, ...]]
"""The gate: names of the checks that a recalibration fails, given the live threshold and who has
accepted what crosses a bound (empty: nobody)."""


@dataclass(frozen=True)
class OperatedRows:
    """n rows that the weights of one version score, in order of time.

    Attributes:
        timeline: their times.
        score: with shifted channels muted, shape (n,).
        muted: whether a channel was, shape (n,).
        parts: parts of incidents, of which shifts and regimes count.
    """

    timeline: Timeline
    score: NDArray[np.float64]
    muted: Mask
    parts: tuple[IncidentPart, ...]

    @property
    def regime_days(self) -> frozenset[date]:
        """Days on which only a training helps, and no new threshold is asked for."""
        return frozenset(part.start.date() for part in self.parts if part.kind == REGIME)


@dataclass(frozen=True)
class ServingThreshold:
    """What a live version says of its threshold.

    Attributes:
        threshold: the threshold.
        anchor: where moves are measured from.
        memory: the rows that it keeps.
        unknown_from: first day whose rows it does not know.
    """

    threshold: ThresholdEstimate
    anchor: Anchor
    memory: Memory
    unknown_from: date


@dataclass(frozen=True)
class MadeRecalibration:
    """One recalibration.

    Attributes:
        as_of: the day before which its window ends.
        weekly: whether it came because the live threshold was provisional.
        threshold: what it estimated; None: nothing, see `refused`.
        stops: bounds that it crossed; each recalibration with any asks a person.
        failed: checks that it failed, after the answer.
        refused: why there was nothing to estimate.
    """

    as_of: date
    weekly: bool
    threshold: ThresholdEstimate | None
    stops: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class Operated:
    """What was live when.

    Attributes:
        live: by the day from which on it was live, oldest first.
        recalibrations: the recalibrations.
        threshold: in force at each row, shape (n,).
    """

    live: dict[date, ThresholdEstimate]
    recalibrations: tuple[MadeRecalibration, ...]
    threshold: NDArray[np.float64]


def operated(
    rows: OperatedRows,
    first: ServingThreshold,
    trained_until: date,
    spec: DetectorSpec,
    gate: AskedGate,
    *,
    accept: bool,
) -> Operated:
    """Live through the days after `trained_until`; `accept`: each question, three days later."""
    number = rows.timeline.time_ns // DAY_NS
    last = date.fromordinal(int(number[-1]) + date(1970, 1, 1).toordinal())
    threshold, regimes = np.full(len(rows.score), np.nan), rows.regime_days
    state, waiting, live_from = first, first, trained_until + ONE_DAY
    live, recalibrations, asked = {live_from: first.threshold}, list[MadeRecalibration](), date.min
    for day in days_between(live_from, last):
        if day == live_from:
            state = waiting
            live[day] = state.threshold
        threshold[number == day_number(day)] = state.threshold.value
        weekly = _is_due(state, trained_until, day, asked, spec) and day not in regimes
        as_of = day + ONE_DAY
        if live_from > day or not (weekly or as_of.day == 1):
            continue
        asked = day if weekly else asked
        window = _window(rows, threshold, as_of, spec)
        result = _recalibrated(window, state, spec)
        if isinstance(result, str):
            recalibrations.append(MadeRecalibration(as_of, weekly, None, refused=result))
            continue
        who = _REVIEWER if accept and result.stops else ""
        failed = gate(window, result, state.threshold, who)
        stops = tuple(stop.name for stop in result.stops)
        recalibrations.append(MadeRecalibration(as_of, weekly, result.threshold, stops, failed))
        if not failed:
            waiting = _after(result, rows, state, as_of)
            live_from = as_of + ANSWERED_AFTER * bool(stops)
    return Operated(live, tuple(recalibrations), threshold)


def _is_due(
    state: ServingThreshold, trained_until: date, day: date, asked: date, spec: DetectorSpec
) -> bool:
    least, needed = spec.recalibration.minimum_days, spec.gate.minimum_calibration_rows
    found = provisional(state.threshold, None, trained_until, needed=needed, minimum_days=least)
    if found is None or (asked != date.min and day - asked < EVERY):
        return False
    return due(found, state.unknown_from, day, minimum_days=least)


def _window(
    rows: OperatedRows, threshold: NDArray[np.float64], as_of: date, spec: DetectorSpec
) -> WindowRows:
    """The last days before `as_of`, as many as a window holds."""
    number = rows.timeline.time_ns // DAY_NS
    known = np.unique(number[number < day_number(as_of)])[-spec.recalibration.window_days :]
    held = np.flatnonzero(np.isin(number, known))
    return WindowRows(
        timeline=subset(rows.timeline, held),
        score=rows.score[held],
        threshold=threshold[held],
        verdict=np.zeros(len(held), dtype=np.int8),
        excluded=(rows.muted | _in_a_shift(rows, as_of, spec))[held],
        audit=np.full(len(held), np.nan),
    )


def _recalibrated(
    window: WindowRows, state: ServingThreshold, spec: DetectorSpec
) -> Recalibrated | str:
    """The recalibration on the window; why there is none."""
    try:
        return recalibrate(
            window,
            state.memory,
            state.threshold,
            state.anchor,
            spec.recalibration,
            spec.threshold,
        )
    except CalibrationError as error:
        return str(error)


def _in_a_shift(rows: OperatedRows, as_of: date, spec: DetectorSpec) -> Mask:
    """Rows between the first and the last row of each shift and regime, as known by `as_of`."""
    known = [part for part in rows.parts if part.kind != ANOMALY and part.start < midnight(as_of)]
    inside = np.zeros(len(rows.score), dtype=bool)
    for found in joined(known, *largest_gaps(spec)):
        time_ns = rows.timeline.time_ns
        inside |= (time_ns >= found.start.value) & (time_ns <= found.end.value)
    return inside


def _after(
    result: Recalibrated, rows: OperatedRows, state: ServingThreshold, as_of: date
) -> ServingThreshold:
    """What the version says whose threshold `result` is; what was asked is accepted by then."""
    found = replace(state, threshold=result.threshold, unknown_from=as_of)
    if not result.stops:
        return replace(found, anchor=unforced_anchor(result))
    end = int(np.searchsorted(rows.timeline.time_ns // DAY_NS, day_number(as_of)))
    used = np.arange(end - len(result.weight), end)[result.weight > 0]
    accepted = kept_scores(rows.score[used], subset(rows.timeline, used))
    return replace(
        found, anchor=accepted_anchor(result), memory=replace(state.memory, accepted=accepted)
    )
