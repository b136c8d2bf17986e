"""The planted faults do what they say, and the shipped detector file refuses each by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from deploy.demo import drill
from pipeline.config import DetectorSpec, load_detector
from pipeline.data.contract import validate_days
from pipeline.data.missing_channels import missing_text

if TYPE_CHECKING:
    from deploy.demo.drill import PlantedFault

SHIPPED = Path(__file__).parents[2] / "detectors" / "la_haute_borne.yaml"
HEALTHY = drill.FAULTS[0].day


@pytest.fixture
def spec() -> DetectorSpec:
    return load_detector(SHIPPED)


@pytest.fixture
def rows(spec: DetectorSpec) -> pd.DataFrame:
    """A made-up windy day of the four turbines."""
    random = np.random.default_rng(3)
    turbines = spec.columns.entities
    time = pd.date_range(HEALTHY, periods=144, freq="10min", tz="UTC").repeat(len(turbines))
    wind = random.uniform(5, 12, len(time))
    return pd.DataFrame(
        {
            "timestamp": time,
            "turbine": np.tile(turbines, 144),
            "pitch": random.uniform(-1, 5, len(time)),
            "power": 20 * wind**1.8,
            "wind_speed": wind,
            "vane": random.normal(0, 3, len(time)),
            "outside_temperature": random.uniform(12, 25, len(time)),
            "yaw": random.uniform(0, 360, len(time)),
            "wind_direction": random.uniform(0, 360, len(time)),
            "eval_incident": False,
            "eval_availability_loss": False,
        }
    )


def on(fault: PlantedFault, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows on the day of `fault`, faulty."""
    moved = rows["timestamp"] + (pd.Timestamp(fault.day) - pd.Timestamp(HEALTHY))
    return fault.plant(rows.assign(timestamp=moved))


def test_the_day_is_fit_before_a_fault_is_planted(spec, rows):
    assert validate_days(rows, spec, [HEALTHY])[HEALTHY].report.verdict == "validated"


def test_watts_are_a_thousand_times_kilowatts_and_nothing_else_changes(rows):
    faulty = drill.power_in_watts(rows)

    np.testing.assert_allclose(faulty["power"], rows["power"] * 1000)
    pd.testing.assert_frame_equal(faulty.drop(columns="power"), rows.drop(columns="power"))


def test_half_of_the_rows_are_missing(rows):
    faulty = drill.half_missing(rows)

    assert len(faulty) == len(rows) // 2
    assert faulty["timestamp"].max() < rows["timestamp"].min() + pd.Timedelta("12h")


def test_one_anemometer_repeats_itself_and_the_others_go_on(rows):
    faulty = drill.stuck_anemometer(rows)

    different = faulty.groupby("turbine")["wind_speed"].nunique()
    assert sorted(different) == [1, 144, 144, 144]


@pytest.mark.parametrize(
    ("fault", "named"),
    list(zip(drill.FAULTS[:2], ["power on all 4 machines", "288 of 576"], strict=True)),
    ids=["unit", "rows"],
)
def test_each_planted_fault_blocks_its_day_by_name(spec, rows, fault: PlantedFault, named: str):
    report = validate_days(on(fault, rows), spec, [fault.day])[fault.day].report

    assert fault.blocks
    assert report.verdict == "quarantined"
    assert named in " ".join(report.reasons)


def test_the_stuck_anemometer_costs_its_own_cells(spec, rows):
    fault = drill.FAULTS[2]
    report = validate_days(on(fault, rows), spec, [fault.day])[fault.day].report

    assert not fault.blocks
    assert report.verdict == "validated"
    assert report.partial == 144
    assert missing_text(report.missing) == "wind_speed of R80711 (stuck sensor, 144 rows)"


def test_a_faulty_day_lies_where_the_source_looks_first_and_can_be_taken_away(
    spec, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(drill, "fetch", lambda *_: rows)  # the sample is a download
    fault = drill.FAULTS[0]
    looked_at = tmp_path / spec.source.replaced_days.replace("{date}", str(fault.day))

    drill.plant(fault, spec, cache=tmp_path, data=tmp_path)
    planted = pd.read_parquet(looked_at)
    drill.repair(fault, data=tmp_path)

    assert planted["power"].max() > 2200
    assert not looked_at.exists()
