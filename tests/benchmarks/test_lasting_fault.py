"""One seed of the benchmark of a fault that lasts, and the parts of it that need no training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.lasting.eight_channels import (
    CHANNELS,
    DAYS,
    TrainedVersion,
    plant_rows,
    plant_spec,
    trained,
)
from benchmarks.lasting.intervals import A_DAY
from benchmarks.lasting.lasting_fault import (
    LastingShift,
    ShiftTrial,
    shift_report,
    shift_trial,
    successor_of,
    with_shift,
)
from pipeline.steps.open_case_rows import LeftOut

SEED = 41
MOVED = LastingShift(sd=6.0, days=45)


@pytest.fixture(scope="module")
def before() -> pd.DataFrame:
    return plant_rows(DAYS, SEED)


@pytest.fixture(scope="module")
def champion(before: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TrainedVersion:
    folder: Path = tmp_path_factory.mktemp("champion") / "bundle"
    return trained(before, plant_spec(), folder)


def test_one_channel_moves_in_the_last_days_and_nothing_else() -> None:
    clean = plant_rows(30, 3)

    moved = with_shift(clean, LastingShift(sd=3.0, days=10), 3)

    changed = moved[list(CHANNELS)].to_numpy() - clean[list(CHANNELS)].to_numpy()
    assert (changed != 0).any(axis=0).sum() == 1
    assert not changed[: 20 * A_DAY].any()
    by = changed[20 * A_DAY :].max(axis=1) / clean[list(CHANNELS)].std().to_numpy()[:, None]
    assert np.isclose(by, 3.0, atol=0.01).any(axis=0).all()


def test_the_fault_is_left_out_of_training_and_its_successor_sees_it(
    champion: TrainedVersion, before: pd.DataFrame
) -> None:
    trial = shift_trial(champion.bundle, before, MOVED, SEED)

    assert trial.left_out > 0.95
    assert trial.champion > 0.95
    assert trial.candidate > 0.95
    assert not trial.blind


def test_a_training_that_leaves_nothing_out_makes_a_successor_that_does_not_see_it(
    champion: TrainedVersion,
) -> None:
    frame = with_shift(plant_rows(DAYS, SEED, first_day=DAYS), MOVED, SEED)

    trial = successor_of(champion.bundle, LeftOut(frame, frame.iloc[:0]), frame, MOVED)

    assert trial.left_out == 0
    assert trial.candidate < 0.5 < trial.champion


def test_only_what_passed_is_blind_and_the_champion_is_the_second_measure() -> None:
    seeing = ShiftTrial(passed=True, failed=(), left_out=1.0, champion=1.0, candidate=1.0)
    blind = ShiftTrial(passed=True, failed=(), left_out=0.0, champion=1.0, candidate=0.1)
    hard = ShiftTrial(passed=True, failed=(), left_out=1.0, champion=0.7, candidate=0.65)
    refused = ShiftTrial(
        passed=False, failed=("open_cases",), left_out=0.0, champion=1.0, candidate=0.1
    )

    assert [each.blind for each in (seeing, blind, hard, refused)] == [False, True, True, False]
    assert [each.blinder for each in (seeing, blind, hard, refused)] == [False, True, False, False]
    text = shift_report("x", [seeing, blind, hard, refused])
    assert "passed and blind 2 of 4, asked 0: MISSED; against the champion 1 of 4" in text
    assert "passed 3; failed: {'open_cases': 1}" in text
    assert "(less than 90% in 1, 1 of these passed and blind)" in text
    assert "asked 0: reached" in shift_report("x", [seeing, refused])
