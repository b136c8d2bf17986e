"""Windows of several rows through all steps: training, the gate, scoring, drift, recalibration."""

import json
from datetime import timedelta

import pytest

from pipeline import settings
from pipeline.records import from_json
from pipeline.steps import (
    drifting,
    evaluating,
    fitting,
    gating,
    recalibrating,
    recalibration_gate,
    scoring,
)
from pipeline.steps.candidate import Candidate
from tests.builders import ROWS_A_DAY, days
from tests.steps.plant_world import HISTORY, TRAINED, make_world
from tests.steps.pump_house import EIGHT_DAYS as D
from tests.steps.pump_house import PumpHouse, another_house, station

WIDE = {"window": {"length": 6, "derivative": True, "rolling": ["mean", "std"]}}
ALONG = {
    "window": {"length": 6},
    "model": {"family": "convolutional", "members": 2, "width": 16, "steps": 150},
}
ways = pytest.mark.parametrize("how", [WIDE, ALONG], ids=["channels", "convolutional"])


def through(payload):
    return json.loads(json.dumps(payload))


@ways
def test_days_in_any_order_and_in_bulk_give_the_same_tables(here, monkeypatch, how):
    contents = []
    for place, order in enumerate([[5, 2, 4, 3], [[*D[2:6]]]]):
        house = another_house(here, monkeypatch, f"lake-{place}", **how)
        house.deliver(station())
        house.ingest(*D[1:6])
        for step in order:
            house.score(*(step if isinstance(step, list) else [D[step]]))
        contents.append(house.content())

    assert contents[0] == contents[1]
    assert len(contents[0]["scores"]) == 4
    assert_faults_are_seen(house)


def assert_faults_are_seen(house: PumpHouse):
    """The station's two faults are flagged, blamed on their channel, a fit day hardly."""
    rows = house.rows("scores")
    assert rows["score"].notna().all()
    hour, day = rows["timestamp"].dt.hour, rows["timestamp"].dt.date
    first = rows["entity"].eq("a") & hour.isin([4, 5]) & day.eq(D[2])
    over_midnight = rows["entity"].eq("b") & (
        (hour.isin([22, 23]) & day.eq(D[4])) | (hour.isin([0, 1]) & day.eq(D[5]))
    )
    assert rows.loc[first | over_midnight, "flag"].all()
    assert rows.loc[first, "features"].str.startswith('[["pressure"').all()
    assert rows.loc[over_midnight, "features"].str.startswith('[["flow"').all()
    assert rows.loc[day.eq(D[3]), "flag"].mean() < 0.06


@ways
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Evidently reaches into numpy.core
def test_a_candidate_is_trained_judged_scored_with_and_recalibrated(tmp_path, monkeypatch, how):
    world = make_world(tmp_path, monkeypatch, **how)

    scored = days(HISTORY)[TRAINED : TRAINED + 25]
    result = scoring.score_days(
        settings.load(), "pumps", [day.isoformat() for day in scored], run="score"
    )
    drifting.judge_days(settings.load(), "pumps", [scored[-1].isoformat()], run="drift")
    as_of = (scored[-1] + timedelta(days=1)).isoformat()
    window = through(recalibrating.window(settings.load(), "pumps", as_of))
    recalibrated = through(
        recalibration_gate.gate(
            settings.load(),
            through(recalibrating.recalibrate(settings.load(), window, run="r")),
            run="r",
        )
    )
    fresh = fitting.train(
        settings.load(), fitting.window(settings.load(), "pumps", as_of), run="pumps__train/r2"
    )
    judged = evaluating.drift(
        settings.load(),
        evaluating.evaluate(settings.load(), through(fitting.calibrate(settings.load(), fresh))),
    )
    tried = evaluating.tryout_of(from_json(Candidate, judged))
    decided = gating.gate(settings.load(), through(judged), run="pumps__train/r2")

    assert result["rows"] == 25 * ROWS_A_DAY
    assert 0.001 < tried.evaluation.rate.rate < 0.05
    assert tried.faults
    assert recalibrated["version"] == 2
    assert decided["version"] == 3
    assert "champion" in world.aliases()
