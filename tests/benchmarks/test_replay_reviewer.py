from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from benchmarks.replay import reviewer
from pipeline.config import Columns, load_detector
from pipeline.incidents import Incident
from pipeline.settings import REPOSITORY

START = pd.Timestamp("2014-05-01", tz="UTC")
STEP = pd.Timedelta("10min")


@pytest.fixture(scope="module")
def columns() -> Columns:
    return load_detector(REPOSITORY / "detectors" / "la_haute_borne.yaml").columns


def farm(outage: slice = slice(0, 0), loss: slice = slice(0, 0)) -> pd.DataFrame:
    """Two hours of one turbine."""
    frame = pd.DataFrame({"timestamp": [START + n * STEP for n in range(12)], "turbine": "R80711"})
    frame["eval_incident"] = frame["eval_availability_loss"] = False
    frame.loc[frame.index[outage], "eval_incident"] = True
    frame.loc[frame.index[loss], "eval_availability_loss"] = True
    return frame


def raised(first: int, last: int, entity: str = "R80711") -> Incident:
    return Incident(
        id="i",
        kind="anomaly",
        status="raised",
        entity=entity,
        start=START + first * STEP,
        end=START + last * STEP,
        rows=1,
        peak=2.0,
        peak_at=START,
        version=1,
        features=(),
    )


def test_an_outage_is_labelled_a_week_after_its_end(columns: Columns) -> None:
    (label,) = reviewer.outage_labels(farm(outage=slice(2, 5)), columns)

    assert (label.start, label.end) == (START + 2 * STEP, START + 4 * STEP)
    assert label.verdict == "incident"
    assert label.created_at == label.end + timedelta(days=7)


def test_nobody_knows_a_label_before_it_was_made(columns: Columns) -> None:
    labels = list(reviewer.outage_labels(farm(outage=slice(2, 5)), columns))
    made = labels[0].created_at

    assert reviewer.known_by(labels, made - timedelta(seconds=1)) == []
    assert reviewer.known_by(labels, made) == labels


def test_an_incident_on_normal_rows_is_called_normal(columns: Columns) -> None:
    (label,) = reviewer.answers([raised(3, 6)], farm(), columns)

    assert (label.verdict, label.entity) == ("normal", "R80711")


@pytest.mark.parametrize("marks", [{"outage": slice(6, 8)}, {"loss": slice(6, 8)}])
def test_an_incident_that_touches_anything_else_is_not(
    columns: Columns, marks: dict[str, slice]
) -> None:
    assert list(reviewer.answers([raised(3, 6)], farm(**marks), columns)) == []


def test_an_incident_of_another_turbine_is_not_judged_by_this_ones_rows(columns: Columns) -> None:
    assert list(reviewer.answers([raised(3, 6, entity="R80790")], farm(), columns)) == []
