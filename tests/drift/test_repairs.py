"""Faults in the relations between channels: each is named by the repair that undoes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.lasting.eight_channels import DAYS, plant_rows, plant_spec, trained
from pipeline.detector.bundle.bundle import Bundle
from pipeline.drift import DriftVerdict
from pipeline.drift.observed import remembered, sample_of, verdict_of

SEED = 1
SPEC = plant_spec()
ROWS_AN_HOUR = 6

Fault = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A version that is trained on ninety days of the made plant."""
    folder: Path = tmp_path_factory.mktemp("plant") / "version"
    return trained(plant_rows(DAYS, SEED), SPEC, folder).bundle


def judged(live: Bundle, fault: Fault, *, days: int = 7) -> DriftVerdict:
    later = fault(plant_rows(days, SEED, first_day=DAYS + 30))
    rows = sample_of(live, later, SPEC.columns)
    found = verdict_of(remembered(live, SPEC), rows, SPEC, live)
    assert found is not None
    return found


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(power=frame["flow"], flow=frame["power"])


def with_other_sign(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(flow=-frame["flow"])


def scaled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(current=np.float32(1.8) * frame["current"])


def late(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(oil=np.roll(frame["oil"], 6 * ROWS_AN_HOUR))


def ramping(frame: pd.DataFrame) -> pd.DataFrame:
    ramp = 3 * frame["oil"].std() * np.linspace(0, 1, len(frame))
    return frame.assign(oil=(frame["oil"] + ramp).astype(np.float32))


def shifted_together(frame: pd.DataFrame) -> pd.DataFrame:
    names = ["power", "heat", "current", "turns"]
    return frame.assign(**{name: frame[name] + 2.5 * frame[name].std() for name in names})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (swapped, "power is swapped with flow: undone"),
        (with_other_sign, "flow has the other sign: undone"),
        (scaled, "current has another scale, 1.9 times the one before: undone"),
        (late, "oil is 6 hours behind the others: undone"),
    ],
)
def test_a_fault_that_one_repair_undoes_is_a_data_fault_by_name(
    live: Bundle, fault: Fault, said: str
) -> None:
    found = judged(live, fault)

    assert (found.kind, found.action) == ("data fault", "quarantine")
    assert found.reason.startswith(said)


def test_a_channel_that_drifts_within_the_week_is_for_a_person_to_look_at(live: Bundle) -> None:
    found = judged(live, ramping)

    assert (found.kind, found.action) == ("degradation", "look")
    assert found.grown[0].channel == "oil"
    assert found.repair is None


def test_channels_that_move_together_ask_for_training_and_not_for_a_repair(live: Bundle) -> None:
    found = judged(live, shifted_together)

    assert (found.kind, found.repair) == ("model stale", None)


def test_a_quiet_week_needs_no_repair(live: Bundle) -> None:
    found = judged(live, lambda frame: frame)

    assert (found.action, found.repair, found.grown) == ("none", None, ())


def test_of_two_days_nothing_is_said_as_one_may_be_an_incident(live: Bundle) -> None:
    found = judged(live, with_other_sign, days=2)

    assert (found.repair, found.grown) == (None, ())
