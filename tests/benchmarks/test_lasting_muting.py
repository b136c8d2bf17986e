"""The benchmark of muted channels: its faults, what it counts, and what it reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lasting.eight_channels import CHANNELS, plant_rows, plant_spec, trained
from benchmarks.lasting.muting import MutedTrial, blames, flagged, moved, report, weak_fault
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values

GOOD = MutedTrial(0.01, (0.01,) * 7 + (0.015,), 0.5, 0.4, incidents=30, blamed=0)
HEAT = CHANNELS.index("heat")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp("muting") / "version"
    return trained(plant_rows(30, 3), plant_spec(), folder).bundle


def test_a_weak_fault_is_six_hours_a_day_of_one_channel() -> None:
    rows = plant_rows(5, 3)[list(CHANNELS)].to_numpy()

    struck = weak_fault(rows, HEAT)

    change = struck - rows.reshape(5, 144, len(CHANNELS))[:, 40:76].reshape(-1, len(CHANNELS))
    np.testing.assert_allclose(change[:, HEAT], 1.5 * rows[:, HEAT].std(), rtol=1e-4)
    assert not np.delete(change, HEAT, axis=1).any()


def test_what_a_muted_channel_measures_changes_no_flag_and_raises_no_blame(bundle: Bundle) -> None:
    frame = plant_rows(10, 3, first_day=60)
    away = moved(frame, "heat")
    usual, shifted = (feature_values(each, bundle.schema) for each in (frame, away))

    incidents, blamed = blames(bundle, away, "heat")

    assert (usual != shifted)[:, HEAT].sum() == 7 * 144
    np.testing.assert_array_equal(flagged(bundle, usual, HEAT), flagged(bundle, shifted, HEAT))
    assert flagged(bundle, shifted, None).mean() > 0.5
    assert incidents > 0
    assert blamed == 0


def test_the_report_says_what_was_reached() -> None:
    assert report([GOOD, GOOD]).count("reached") == 3
    assert "1.06 x, asked <= 1.3: reached" in report([GOOD])
    assert "worst with turns muted, 1.50%: 1.50 x" in report([GOOD])
    missed = report([GOOD, replace(GOOD, rates=(0.03,) * 8, blamed=2)])
    assert "2.03 x, asked <= 1.3: MISSED" in missed
    assert "blamed first in 2 of 60 incidents, asked 0: MISSED" in missed
