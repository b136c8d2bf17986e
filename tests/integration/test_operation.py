"""A station in production through the real scheduler: days are scored as they come, a person
answers, a version is recalibrated, another is rolled back. The tests share one stack and one story;
each asks for its own chapter."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy.embedded.backfill import wait_for_partitions
from pipeline import settings
from pipeline.steps import gating, promotion, recalibrating
from pipeline.steps.candidate import detector_named
from pipeline.store.incidents import incidents_between
from tests.integration.plant import (
    INCIDENTS,
    ROWS_A_DAY,
    day_after,
    deliver,
    make_day,
    write_detector,
)
from tests.integration.station import Station, group_states, states
from tests.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from deploy.airflow_api import RunResult
    from pipeline.incidents import Incident
    from tests.integration.conftest import RunningStack, StartStack

pytestmark = pytest.mark.integration

HISTORY, RANGE, DAILY = range(36), range(36, 46), range(46, 49)
SPOILT, SCHEDULED = 40, 52
AS_OF, RECALIBRATED = day_after(36), day_after(49)


SECTIONS = {
    "notify": {"horizon_days": 100_000},  # days of 2024 are still news
    "recalibration": {"window_days": 30, "minimum_days": 10},
    "promotion": {"watch_partitions": 1},
}


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("detectors")


@pytest.fixture(scope="module")
def running(start_stack: StartStack, detectors: Path) -> Iterator[RunningStack]:
    """A stack that watches the station."""
    write_detector(detectors, "plant", **SECTIONS)
    with start_stack(detectors=detectors) as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment.items():
            if name.startswith(("PLIMSOLL_", "MLFLOW_")):
                patch.setenv(name, value)
        for verb in VERBS:
            stack.airflow.wait_for_dag(f"plant__{verb}")
            stack.airflow.unpause(f"plant__{verb}")
        yield stack


@pytest.fixture(scope="module")
def plant(running: RunningStack) -> Station:
    return Station("plant", running)


@pytest.fixture(scope="module")
def live(plant: Station) -> int:
    """The first version, trained on the history; its number."""
    for n in HISTORY:
        deliver(plant.data, n)
    assert plant.run("load", conf=span(HISTORY)).succeeded
    assert plant.train(AS_OF).succeeded
    champion = plant.champion()
    assert champion is not None
    return champion.number


@pytest.fixture(scope="module")
def loaded(plant: Station, live: int) -> RunResult:
    """Ten more days by one run in four groups, one day in the wrong unit."""
    assert live
    for n in RANGE:
        deliver(plant.data, n)
    rows = make_day(SPOILT)
    deliver(plant.data, SPOILT, rows.assign(power=rows["power"] * 1000))
    return plant.run("load", conf={**span(RANGE), "days_a_group": 3})


@pytest.fixture(scope="module")
def backfilled(plant: Station, loaded: RunResult) -> dict[str, str]:
    """Three more, by one backfill: the state of the scoring run of each."""
    assert group_states(loaded, "group.load") == ["success"] * 4
    for n in DAILY:
        deliver(plant.data, n)
    first, last = day_after(DAILY[0]), day_after(DAILY[-1])
    assert set(plant.backfill("ingest", first, last)) == {"success"}
    return wait_for_partitions(plant.airflow, "plant__score", first, last, limit_s=120)


@pytest.fixture(scope="module")
def scheduled(plant: Station, backfilled: dict[str, str]) -> RunResult:
    """The scoring run of a day with an incident, as the schedule starts it."""
    assert set(backfilled.values()) == {"success"}
    return scored(plant, SCHEDULED)


@pytest.mark.usefixtures("live")
def test_before_anything_is_live_a_day_is_validated_and_nothing_is_claimed(plant):
    assert plant.table("scores", last_day=day_after(HISTORY[-1])).empty


@pytest.mark.usefixtures("loaded")
def test_a_range_is_ingested_and_scored_in_one_run(plant, live):
    scores = plant.table("scores", first_day=AS_OF)

    rows = scores.groupby("date").size().to_dict()
    assert rows == {day_after(n): ROWS_A_DAY for n in RANGE if n != SPOILT}
    assert set(scores["version"]) == {live}
    assert set(scores["role"]) == {"champion"}


def test_a_blocked_day_makes_its_group_red_by_name_and_spares_the_others(plant, loaded):
    red = group_states(loaded, "group.score").index("failed")

    assert not loaded.succeeded
    assert group_states(loaded, "group.load") == ["success"] * 4
    assert sorted(group_states(loaded, "group.score")) == ["failed", *["success"] * 3]
    assert f"{day_after(SPOILT)}: " in plant.log(loaded, "group.score", red)


def test_a_backfill_includes_scoring_and_sends_no_message(plant, backfilled):
    scores = plant.table("scores", first_day=day_after(DAILY[0]))

    assert set(backfilled.values()) == {"success"}
    assert scores.groupby("date").size().to_dict() == {day_after(n): ROWS_A_DAY for n in DAILY}
    assert plant.table("notices").empty


def test_an_incident_is_notified_once_with_its_cause(plant, scheduled):
    day = day_after(SCHEDULED)
    again = plant.run("score", partition_key=str(day))

    notices = plant.table("notices")
    pump = INCIDENTS[SCHEDULED]

    assert states(scheduled)["notify"] == "success"
    assert again.succeeded
    sent = notices[notices["entity"] == pump]
    assert len(sent) == 1
    assert f"plant: {pump} is anomalous" in plant.log(scheduled, "notify")


@pytest.mark.usefixtures("scheduled")
def test_the_same_days_are_scored_again_without_the_source(plant):
    before = plant.table_version("scores")

    run = plant.run("load", conf={**span(DAILY), "work": "score again", "days_a_group": 1})

    assert run.succeeded
    assert group_states(run, "group.score") == ["success"] * len(DAILY)
    assert group_states(run, "group.load") == ["skipped"] * len(DAILY)
    assert plant.table_version("scores") == before


def test_a_quiet_day_asks_for_nothing_and_rolls_nothing_back(scheduled):
    assert states(scheduled)["judge_drift"] == "success"
    assert states(scheduled)["follow_up.check_promotion"] == "success"
    assert states(scheduled)["follow_up.trigger_rollback"] == "skipped"
    assert states(scheduled)["follow_up.decide_request"] == "skipped"
    assert states(scheduled)["follow_up.trigger_request"] == "skipped"


@pytest.mark.usefixtures("scheduled")
def test_an_answer_by_the_form_is_kept_with_its_author(plant):
    incident = caught(SCHEDULED)

    run = plant.run("label", conf={"incident": incident.id, "verdict": "incident", "note": "dry"})

    (label,) = plant.table("labels").to_dict("records")
    assert run.succeeded
    assert (label["verdict"], label["author"], label["note"]) == ("incident", "admin", "dry")
    assert (label["start"], label["entity"]) == (incident.start, incident.entity)


@pytest.fixture(scope="module")
def recalibrated(plant: Station, scheduled: RunResult) -> RunResult:
    """A recalibration on the days that were scored."""
    assert scheduled.succeeded
    return plant.run("recalibrate", conf={"as_of": str(RECALIBRATED)})


def test_recalibration_keeps_the_weights_and_moves_the_threshold(plant, live, recalibrated):
    champion = plant.champion()

    assert recalibrated.succeeded
    assert champion is not None
    assert champion.number != live
    assert champion.tags["kind"] == "recalibrated"
    assert champion.tags["weights_of"] == str(live)


@pytest.fixture(scope="module")
def rolled_back(plant: Station, recalibrated: RunResult) -> RunResult:
    """The recalibrated version scores a day and is rolled back."""
    assert recalibrated.succeeded
    # A request by drift would move the threshold once more, at an unknown time.
    plant.airflow.request("PATCH", "dags/plant__recalibrate", {"is_paused": True})
    assert scored(plant, SCHEDULED + 1).succeeded
    conf = {"target": "previous", "reason": "a test of the way back"}
    return plant.run("rollback", conf=conf)


def test_a_rollback_moves_weights_and_threshold_together_and_rescores(plant, live, rolled_back):
    champion = plant.champion()
    scores = plant.table("scores", first_day=day_after(SCHEDULED + 1))

    assert rolled_back.succeeded
    assert champion is not None
    assert champion.number == live
    assert set(scores["version"]) == {live}
    assert plant.ledger()[-1].decision.action == "rollback"
    assert "a test of the way back" in plant.ledger()[-1].decision.why


@pytest.mark.usefixtures("rolled_back")
def test_housekeeping_leaves_what_is_live(plant, live):
    run = plant.run("housekeeping")

    champion = plant.champion()
    assert run.succeeded
    assert champion is not None
    assert champion.number == live
    assert scored(plant, SCHEDULED + 2).succeeded


@pytest.fixture(scope="module")
def tripped(plant: Station, rolled_back: RunResult, detectors: Path) -> RunResult:
    """A threshold far too low goes live past its gate: the scoring run of its first day."""
    assert rolled_back.succeeded
    write_detector(detectors, "plant", **SECTIONS, threshold={"alpha": 0.4})
    window = recalibrating.window(settings.load(), "plant", str(RECALIBRATED))
    judged = gating.gate(
        settings.load(), recalibrating.recalibrate(settings.load(), window, run="test"), run="test"
    )
    promotion.promote(settings.load(), {**judged, "passed": True}, answer=None, run="test")
    write_detector(detectors, "plant", **SECTIONS)
    return scored(plant, SCHEDULED + 3)


def test_a_promotion_outside_its_limits_is_rolled_back_automatically(plant, live, tripped):
    (run,) = [r for r in plant.airflow.runs("plant__rollback") if r["conf"].get("only_if_live")]
    returned = plant.airflow.wait_for_run("plant__rollback", run["dag_run_id"])

    champion = plant.champion()
    decision = plant.ledger()[-1].decision
    assert states(tripped)["follow_up.trigger_rollback"] == "success"
    assert returned.succeeded
    assert champion is not None
    assert champion.number == live
    assert decision.action == "rollback"
    assert "the watch after the promotion" in decision.who
    assert "rows flagged (limit 20%)" in decision.why


@pytest.mark.usefixtures("tripped")
def test_a_new_regime_asks_for_training(plant):
    n = SCHEDULED + 4
    moved = make_day(n)
    for channel, by in {"flow": 60, "pressure": 12, "power": 60, "temperature": 40}.items():
        moved[channel] += by
    run = scored(plant, n, moved)

    assert states(run)["follow_up.trigger_request"] == "success"
    requests = plant.table("requests").query("action == 'retrain'")
    asked = asset_run(plant, "train")
    assert list(requests["date"]) == [day_after(n)]
    assert "new regime" in requests["reason"].iloc[0]
    trained = plant.airflow.wait_for_run("plant__train", asked["dag_run_id"])
    assert states(trained)["window"] == "success"


def scored(plant: Station, n: int, frame: pd.DataFrame | None = None) -> RunResult:
    """Ingest one day as the schedule would and wait for the scoring run that follows."""
    deliver(plant.data, n, frame)
    day = day_after(n)
    assert plant.ingest(partition_key=str(day)).succeeded
    wait_for_partitions(plant.airflow, "plant__score", day, day, limit_s=120)
    (run,) = [r for r in plant.airflow.runs("plant__score") if r["partition_key"] == str(day)]
    return plant.airflow.wait_for_run("plant__score", run["dag_run_id"])


def asset_run(plant: Station, verb: str) -> dict[str, Any]:
    """The one run that an asset event has started, once the scheduler has made it."""
    deadline = time.monotonic() + 60
    while not (found := plant.airflow.runs(f"plant__{verb}", run_type="asset_triggered")):
        assert time.monotonic() < deadline, f"no asset event has started {verb}"
        time.sleep(0.5)
    (run,) = found
    return run


def caught(n: int) -> Incident:
    """The incident that was planted on day `n`."""
    here, day = settings.load(), day_after(n)
    found = incidents_between(here, detector_named(here, "plant"), day, day)
    (incident,) = [i for i in found if i.entity == INCIDENTS[n]]
    return incident


def span(days: range) -> dict[str, str]:
    return {"from_day": str(day_after(days[0])), "to_day": str(day_after(days[-1]))}
