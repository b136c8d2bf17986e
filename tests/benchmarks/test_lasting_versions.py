"""The parts of the benchmarks of first versions and successors that need no training."""

from __future__ import annotations

import numpy as np

from benchmarks.lasting import open_shift
from benchmarks.lasting.eight_channels import (
    CHANNELS,
    GateTrial,
    LaterDays,
    contaminated,
    plant_rows,
)
from benchmarks.lasting.first_version import AskedShare, blind, refused, report, seeds_of
from benchmarks.lasting.successors import by_fault_size
from pipeline.data.split import of_open_case

GOOD = GateTrial(passed=True, failed=(), seen=LaterDays(0.01, 1.0), held=0)
BLIND = GateTrial(passed=True, failed=(), seen=LaterDays(0.0, 0.1), held=0)
REFUSED = GateTrial(
    passed=False, failed=("fault_size_vs_champion",), seen=LaterDays(0.0, 0.1), held=7
)


def test_that_share_of_the_rows_becomes_faulty_and_the_rest_stays() -> None:
    clean = plant_rows(30, 3)

    changed = (contaminated(clean, 0.05, 3)[list(CHANNELS)] != clean[list(CHANNELS)]).any(axis=1)

    assert 0.05 <= changed.mean() < 0.07


def test_other_first_days_of_a_seed_are_other_draws_of_one_plant() -> None:
    one, other = plant_rows(60, 3), plant_rows(60, 3, first_day=60)

    assert not np.allclose(one["power"], other["power"])
    assert other["timestamp"].min() - one["timestamp"].max() == one["timestamp"].diff().max()
    assert np.allclose(one["flow"].std(), other["flow"].std(), rtol=0.2)


def test_a_blind_version_counts_only_if_it_passed() -> None:
    assert [blind(each) for each in (GOOD, BLIND, REFUSED)] == [False, True, False]
    assert [refused(each) for each in (GOOD, BLIND, REFUSED)] == [False, False, True]
    assert [by_fault_size(each) for each in (GOOD, BLIND, REFUSED)] == [False, False, True]


def test_the_report_says_whether_the_number_was_reached() -> None:
    asked = AskedShare("refused", refused, 0.1)

    assert "refused 0 of 2: 0% (0%-84%), asked <= 10%: reached" in report("x", [GOOD] * 2, asked)
    text = report("x", [GOOD, REFUSED], asked)
    assert "refused 1 of 2: 50%" in text
    assert "MISSED" in text
    assert "fault_size_vs_champion" in text


def test_the_command_line_gives_the_seeds() -> None:
    assert seeds_of(["--trials", "3", "--first-seed", "7"], "about") == range(7, 10)


def test_of_an_open_shift_whole_rows_or_the_cells_of_the_channel_are_left_out() -> None:
    frame, half = plant_rows(20, 3), 10 * 144
    shifted, span = open_shift.moved(frame)

    left = open_shift.without(shifted, span, None)

    assert not of_open_case(left)[:half].any()
    assert of_open_case(left)[half:].all()
    change = (shifted[list(CHANNELS)] - frame[list(CHANNELS)]).abs()
    assert change.drop(columns=open_shift.CHANNEL).to_numpy().max() == 0
    assert change[open_shift.CHANNEL][:half].max() == 0
    assert np.allclose(
        change[open_shift.CHANNEL][half:], 6 * frame[open_shift.CHANNEL].std(), rtol=0.01
    )


def test_the_line_about_open_shifts_has_the_mean_and_both_ends() -> None:
    line = open_shift.report("rows left out", [LaterDays(0.01, 1.0), LaterDays(0.03, 0.9)])

    assert line == (
        "rows left out    flags 2.00% of later normal rows (1.00%-3.00%); catches 95% of 4-sd "
        "faults (90%-100%)"
    )
