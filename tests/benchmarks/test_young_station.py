"""The first weeks of a young station, and a threshold as it is operated, on made scores."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.lasting.blacksmith_fork import (
    FIRST,
    MARK,
    StationDays,
    absent,
    station_days,
    station_spec,
)
from benchmarks.lasting.eight_channels import plant_spec, trained
from benchmarks.lasting.other_trainings import (
    OtherTraining,
    blocks_in_order,
    without_corrected_rows,
)
from benchmarks.lasting.recalibrated_days import (
    ANSWERED_AFTER,
    AskedGate,
    Operated,
    OperatedRows,
    ServingThreshold,
    kept_scores,
    operated,
)
from benchmarks.lasting.station_life import YOUNG, first_days, realised, young_station
from benchmarks.lasting.young_station import monthly, summary
from pipeline.config import Threshold
from pipeline.data.timeline import Timeline, subset
from pipeline.detector.calibration.calibrate import estimate_threshold
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.incidents.parts import REGIME, IncidentPart
from pipeline.recalibration import Anchor, Memory, Recalibrated, WindowRows
from pipeline.utc_day import ONE_DAY, midnight

A_DAY = 96
TRAINED_UNTIL = date(2021, 3, 1)
JUMP = 30
"""Days after the training, from which on scores are three times as high."""


def passes(
    _window: WindowRows, result: Recalibrated, _live: ThresholdEstimate, who: str
) -> tuple[str, ...]:
    """A gate that asks for the bounds alone."""
    return () if who else tuple(stop.name for stop in result.stops)


def refuses(*_given: object) -> tuple[str, ...]:
    """A gate that lets nothing pass."""
    return ("fault_size",)


def lived(
    *,
    independent: float,
    accept: bool,
    regime: bool = False,
    jump: float = 1.0,
    gate: AskedGate = passes,
) -> Operated:
    """Seventy days of independent scores, after twenty days of training."""
    random, days = np.random.default_rng(5), 90
    start = midnight(TRAINED_UNTIL + ONE_DAY - timedelta(days=20))
    time_ns = pd.Timestamp(start).value + np.arange(days * A_DAY) * (86_400 * 10**9 // A_DAY)
    every = Timeline(time_ns, np.zeros(len(time_ns), dtype=np.intp), ("",), 900 * 10**9)
    score = np.exp(random.normal(size=len(time_ns)))
    score[(20 + JUMP) * A_DAY :] *= jump
    before, after = np.arange(20 * A_DAY), np.arange(20 * A_DAY, len(score))
    estimate = estimate_threshold(score[before], Threshold(), n_effective=independent)
    kept = kept_scores(score[before], subset(every, before))
    anchor = Anchor(estimate.value, 1.0, TRAINED_UNTIL, moved=TRAINED_UNTIL)
    moments = pd.DatetimeIndex(pd.to_datetime(time_ns[after], utc=True))
    parts = tuple(
        IncidentPart(REGIME, "raised", "", at, at, 1, 1.0, at, 1, ())
        for at in moments[::A_DAY]
        if regime
    )
    rows = OperatedRows(subset(every, after), score[after], np.zeros(len(after), dtype=bool), parts)
    first = ServingThreshold(estimate, anchor, Memory(kept, kept), TRAINED_UNTIL + ONE_DAY)
    return operated(rows, first, TRAINED_UNTIL, plant_spec(), gate, accept=accept)


def test_a_provisional_threshold_is_estimated_after_two_weeks_and_is_confirmed_then() -> None:
    life = lived(independent=50, accept=False)

    first = life.recalibrations[0]
    assert (first.as_of - TRAINED_UNTIL).days == 15
    assert first.weekly
    assert life.live[first.as_of].n_effective > 100
    assert [each.as_of.day for each in life.recalibrations[1:]] == [1] * (
        len(life.recalibrations) - 1
    )
    assert np.isfinite(life.threshold).all()


def test_what_stays_provisional_is_estimated_each_week() -> None:
    life = lived(independent=50, accept=False, gate=refuses)

    weekly = [each.as_of for each in life.recalibrations if each.weekly]
    assert {(b - a).days for a, b in pairwise(weekly)} == {7}
    assert list(life.live) == [TRAINED_UNTIL + ONE_DAY]


def test_a_confirmed_threshold_is_estimated_by_the_month() -> None:
    life = lived(independent=500, accept=False)

    assert [(each.as_of.day, each.weekly) for each in life.recalibrations] == [(1, False)] * 2


def test_in_a_new_regime_no_new_threshold_is_asked_for() -> None:
    life = lived(independent=50, accept=False, regime=True)

    assert not any(each.weekly for each in life.recalibrations)


def test_what_crosses_a_bound_goes_live_three_days_after_its_question_or_never() -> None:
    accepted = lived(independent=500, accept=True, jump=3.0)
    unanswered = lived(independent=500, accept=False, jump=3.0)

    asked = next(each for each in accepted.recalibrations if each.stops)
    assert accepted.live[asked.as_of + ANSWERED_AFTER] == asked.threshold
    assert asked.as_of not in accepted.live
    refused = next(each for each in unanswered.recalibrations if each.stops)
    assert refused.failed == refused.stops
    assert refused.threshold not in unanswered.live.values()


@pytest.mark.skipif(bool(absent()), reason=absent())
def test_the_first_weeks_of_a_river_station(tmp_path: Path) -> None:
    every = station_days()
    some = every.telemetry["timestamp"].dt.date < FIRST + YOUNG + timedelta(days=18)
    days = StationDays(every.spec, every.delivered, every.telemetry[some].reset_index(drop=True))
    frame = days.telemetry[first_days(days)].reset_index(drop=True)
    first = trained(frame, days.spec, tmp_path / "first")

    station = young_station(days, first)

    assert station.gate.passed
    assert station.provisional
    assert station.threshold.rate_interval[1] < 0.1
    assert len(station.scored.normal) == len(days.telemetry) - len(frame)
    rates = realised(station, np.ones(len(station.scored.normal), dtype=bool))
    assert rates["first threshold, shifts muted"] < rates["first threshold, nothing muted"]
    assert "provisional with" in "\n".join(summary(station))
    assert [line[:9] for line in monthly(station)][2:] == ["| 2019-04"]


def test_another_training_is_told_with_what_it_states_and_what_came_true() -> None:
    inside = OtherTraining("a year", (0.0, 0.04), 0.03, ())
    outside = OtherTraining("a month", (0.0, 0.04), 0.3, ("realised_rate (70%)",))

    assert "3.00% of later normal rows, inside; gate: passed" in inside.text
    assert "outside; gate: refused by realised_rate (70%)" in outside.text
    assert blocks_in_order(plant_spec()).split.method == "contiguous"
    assert without_corrected_rows(station_spec()).columns.marks == {MARK}
    assert station_spec().columns.marks == set()
