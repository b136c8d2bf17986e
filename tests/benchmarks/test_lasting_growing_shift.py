"""The benchmark of a shift that grows: its paths, what it counts, and what it reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.lasting.eight_channels import plant_rows, plant_spec, trained
from benchmarks.lasting.growing_shift import PATHS, Told, moved, report, told_of
from pipeline.detector.bundle.bundle import Bundle

STEPS, STAYS, *_ = PATHS


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp("growing") / "version"
    return trained(plant_rows(30, 3), plant_spec(), folder).bundle


def test_a_path_is_what_its_name_says() -> None:
    days = np.array([4.9, 5.0, 14.9, 15.0, 25.0, 34.0])
    by_day = np.array([6.3, 6.4, 6.8, 6.9])

    at = [path(days).tolist() for path in PATHS.values()]

    assert at[0] == [0, 6, 6, 20, 100, 100]
    assert at[1] == [0, 6, 6, 6, 6, 6]
    assert at[2] == [0, 3, 3, 3, 3, 3]
    assert list(PATHS.values())[3](by_day).tolist() == [0, 6, 6, 0]
    assert at[4] == pytest.approx([0, 0, 9.9, 10, 20, 29])


def test_a_channel_that_goes_from_6_to_20_to_100_sd_is_told_three_times(bundle: Bundle) -> None:
    frame = plant_rows(27, 3, first_day=60)

    assert told_of(bundle, moved(frame, "heat", PATHS[STEPS]), "heat") == Told((5,), (15, 25))
    assert told_of(bundle, moved(frame, "heat", PATHS[STAYS]), "heat") == Told((5,), ())


def test_the_report_says_how_often_and_when() -> None:
    text = report(STEPS, [Told((5,), (15, 25)), Told((5,), (15, 25)), Told((), (25,))])

    assert "3 channels:" in text
    assert "shift told      0 x in 1, 1 x in 2; most often on day 5 (2)" in text
    assert "growth told     1 x in 1, 2 x in 2; most often on day 15 (2), day 25 (3)" in text
