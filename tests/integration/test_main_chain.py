"""The main chain through the real scheduler and MLflow server: a made-up pumping station is
ingested, trained, judged and promoted. The tests share one stack; each asks for the chapter of the
story that it is about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import numpy as np
import pytest

from pipeline import settings
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.records import from_json
from pipeline.registry import promotion, versions
from pipeline.scoring import score_frame
from pipeline.steps import ingestion
from pipeline.steps.candidate import Candidate
from pipeline.steps.gating import verdict_of
from tests.integration.plant import ROWS_A_DAY, day_after, deliver, make_day, write_detector
from tests.integration.station import Station, group_states, states, tries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.airflow_api import RunResult
    from tests.integration.conftest import RunningStack, StartStack

READING_S = 3.0

pytestmark = pytest.mark.integration

LOADED, BACKFILLED = range(45), range(45, 48)
SPOILT = 40
FIRST, LATER = day_after(36), day_after(48)
CHAIN = ("window", "train", "calibrate", "evaluate", "drift", "gate", "promote")


@pytest.fixture(scope="module")
def running(
    start_stack: StartStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    """A stack that watches the station three times: as usual, with approval, and in vain."""
    detectors = tmp_path_factory.mktemp("detectors")
    write_detector(detectors, "station")
    write_detector(detectors, "asking", promotion={"approval": "human"})
    write_detector(detectors, "silent", source={"kind": "parquet", "path": "nowhere.parquet"})
    with start_stack(detectors=detectors) as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment.items():
            if name.startswith(("PLIMSOLL_", "MLFLOW_")):
                patch.setenv(name, value)
        for n in (*LOADED, *BACKFILLED):
            deliver(stack.stack.layout.data, n)
        for dag in (
            "station__ingest",
            "station__load",
            "station__train",
            "asking__train",
            "silent__ingest",
        ):
            stack.airflow.wait_for_dag(dag)
            stack.airflow.unpause(dag)
        yield stack


@pytest.fixture(scope="module")
def station(running: RunningStack) -> Station:
    return Station("station", running)


@pytest.fixture(scope="module")
def asking(running: RunningStack) -> Station:
    """The detector that asks a person, its history loaded without Airflow to save time."""
    ingestion.load(
        settings.load(), "asking", [day_after(n).isoformat() for n in LOADED], run="by hand"
    )
    return Station("asking", running)


@pytest.fixture(scope="module")
def loaded(station: Station) -> RunResult:
    """The history, loaded by one run in four groups."""
    span = {"from_day": str(day_after(LOADED[0])), "to_day": str(day_after(LOADED[-1]))}
    return station.run("load", conf={**span, "days_a_group": 12})


@pytest.fixture(scope="module")
def backfilled(station: Station, loaded: RunResult) -> dict[str, int]:
    """The last days, by one backfill."""
    assert loaded.succeeded
    return dict(station.backfill("ingest", day_after(BACKFILLED[0]), day_after(BACKFILLED[-1])))


@pytest.fixture(scope="module")
def trained(station: Station, backfilled: dict[str, int]) -> RunResult:
    """The first candidate, trained by hand."""
    assert set(backfilled) == {"success"}
    return station.train(FIRST)


@pytest.fixture(scope="module")
def trained_later(station: Station, trained: RunResult) -> RunResult:
    """The second candidate, trained on later data."""
    assert trained.succeeded
    return station.train(LATER)


def test_one_run_loads_the_whole_history(station: Station, loaded: RunResult):
    rows = station.table("telemetry").groupby("date").size()

    assert loaded.succeeded
    assert group_states(loaded, "group.load") == ["success"] * 4
    assert group_states(loaded, "group.score") == ["skipped"] * 4  # nothing is live yet
    assert rows.to_dict() == {day_after(n): ROWS_A_DAY for n in LOADED}


def test_a_backfill_ingests_every_day_exactly_once(station: Station, backfilled: dict[str, int]):
    days = [day_after(n) for n in BACKFILLED]

    attempts = station.table("ingestions", first_day=days[0], last_day=days[-1])
    runs = station.airflow.runs("station__ingest", run_type="backfill")

    assert backfilled == {"success": len(days)}
    assert sorted(run["partition_key"] for run in runs) == [str(day) for day in days]
    assert sorted(attempts["date"]) == days
    assert set(attempts["verdict"]) == {"validated"}
    assert (station.table("telemetry").groupby("date").size()[days] == ROWS_A_DAY).all()


@pytest.fixture(scope="module")
def spoilt(station: Station, loaded: RunResult) -> Iterator[tuple[RunResult, int | None]]:
    """A day that was fit and comes again with its power in another unit; the table before."""
    assert loaded.succeeded
    rows = make_day(SPOILT)
    deliver(station.data, SPOILT, rows.assign(power=rows["power"] * 1000))
    before = station.table_version("telemetry")
    yield station.ingest(partition_key=str(day_after(SPOILT))), before
    deliver(station.data, SPOILT)


def test_a_blocked_day_fails_at_once_and_names_the_rule(station: Station, spoilt):
    run, _ = spoilt

    assert states(run) == {
        "fetch": "success",
        "validate": "success",
        "write": "failed",
    }
    assert tries(run)["write"] == 1
    assert "out of range power" in station.log(run, "write")


def test_a_blocked_day_leaves_telemetry_alone_and_lies_in_quarantine(station: Station, spoilt):
    _, before = spoilt
    day = day_after(SPOILT)

    assert station.table_version("telemetry") == before
    assert len(station.table("quarantine", first_day=day, last_day=day)) == ROWS_A_DAY


def test_a_source_that_does_not_answer_is_asked_again(running: RunningStack):
    silent = Station("silent", running)

    run = running.airflow.trigger("silent__ingest", partition_key=str(day_after(0)))
    _wait_for_task(silent, "ingest", run, "fetch", "up_for_retry")
    running.airflow.request("PATCH", f"dags/silent__ingest/dagRuns/{run}", {"state": "failed"})

    attempt = silent.table("ingestions").iloc[0]
    assert attempt["standing"] == "failed"
    assert "nowhere.parquet" in attempt["reasons"]


def test_the_first_candidate_goes_live(station: Station, trained: RunResult):
    champion = station.champion()

    assert states(trained) == dict.fromkeys(CHAIN, "success")
    assert set(tries(trained).values()) == {1}
    assert champion.number == 1
    assert champion.tags["status"] == "champion"
    assert champion.description.startswith("Passed")


def test_a_promotion_is_written_down(station: Station, trained: RunResult):
    first = station.ledger()[0].decision
    threshold = station.table("thresholds").set_index("version").loc[1]

    assert (first.action, first.version, first.replaced) == ("promotion", 1, None)
    assert first.who == f"station__train/{trained.run_id}"
    assert first.run_id == threshold["run_id"] == station.champion().run_id
    assert threshold["threshold_low"] < threshold["threshold"] < threshold["threshold_high"]


def test_the_mlflow_button_opens_the_run_and_then_the_card(station: Station, trained: RunResult):
    def page(task: str) -> str | None:
        return station.airflow.links(trained.dag_id, trained.run_id, task)["MLflow"]

    run, root = station.champion().run_id, station.running.mlflow_url

    assert not page("window")
    assert page("train").startswith(root)
    assert page("train").endswith(f"/runs/{run}?workflowType=machine_learning")
    assert page("gate") == page("promote")
    assert page("gate").endswith("#/models/station/versions/1?workflowType=machine_learning")


@pytest.mark.usefixtures("trained")
def test_the_registered_bundle_scores_the_same_through_mlflow(station: Station, tmp_path: Path):
    rows = station.table("telemetry", first_day=day_after(44), last_day=day_after(44))
    folder = versions.download(station.champion(), tmp_path)

    served = mlflow.pyfunc.load_model("models:/station@champion").predict(rows)
    scored = score_frame(load_bundle(folder), rows)

    assert len(served) == ROWS_A_DAY
    np.testing.assert_array_equal(served["score"], scored["score"])
    np.testing.assert_array_equal(served["is_anomaly"], scored["is_anomaly"])


@pytest.mark.usefixtures("trained")
def test_training_again_on_the_same_day_changes_nothing(station: Station):
    before = [entry.hash for entry in station.ledger()]

    again = station.train(FIRST)

    assert states(again) == dict.fromkeys(CHAIN, "success")
    assert [version.version for version in station.versions()] == ["1"]
    assert len(station.runs()) == 1
    assert [entry.hash for entry in station.ledger()] == before
    assert len(station.table("thresholds")) == 1


def test_a_later_candidate_is_compared_with_the_champion_and_takes_its_place(
    station: Station, trained_later: RunResult
):
    payload = station.airflow.xcom(trained_later.dag_id, trained_later.run_id, "gate")
    verdict = verdict_of(from_json(Candidate, payload["candidate"]))

    assert states(trained_later) == dict.fromkeys(CHAIN, "success")
    assert verdict.champion == 1
    answers = {result.name: result.verdict for result in verdict.results}
    assert answers.pop("open_cases") == "skip"  # no case is open
    assert answers.pop("open_shifts") == "skip"  # likewise
    assert set(answers.values()) == {"pass"}
    assert station.champion().number == 2
    assert station.previous().number == 1
    assert station.ledger()[-1].decision.replaced == 1


@pytest.mark.usefixtures("trained_later")
def test_a_candidate_that_fails_its_gate_changes_nothing_live(station: Station):
    write_detector(station.detectors, "station", gate={"maximum_bundle_mb": 0.001})

    run = station.train(LATER)
    write_detector(station.detectors, "station")

    newest = max(station.versions(), key=lambda version: int(version.version))
    last = station.ledger()[-1].decision
    assert states(run) == {**dict.fromkeys(CHAIN, "success"), "promote": "skipped"}
    assert newest.tags["status"] == "rejected"
    assert "bundle_size" in newest.tags["reason"]
    assert (last.action, last.version) == ("rejection", int(newest.version))
    assert station.champion().number == 2
    assert station.previous().number == 1


@pytest.mark.usefixtures("trained_later")
def test_a_backfill_of_training_does_not_move_the_champion(station: Station):
    done = station.backfill("train", day_after(0), day_after(30))

    run = station.airflow.runs("station__train", run_type="backfill")[0]
    found = {t.task_id: t.state for t in station.airflow.tasks("station__train", run["dag_run_id"])}
    assert done == {"success": 1}
    assert found == {**dict.fromkeys(CHAIN, "success"), "promote": "skipped"}
    assert station.champion().number == 2


@pytest.mark.usefixtures("backfilled")
def test_a_second_backfill_of_the_same_days_changes_nothing(
    station: Station,
):
    days = day_after(BACKFILLED[0]), day_after(BACKFILLED[-1])
    before = station.table_version("telemetry")

    station.backfill("ingest", *days, reprocess="completed")

    attempts = station.table("ingestions", first_day=days[0], last_day=days[1])
    assert station.table_version("telemetry") == before
    assert sorted(attempts["verdict"]) == ["unchanged"] * 3 + ["validated"] * 3


def test_nothing_goes_live_before_a_person_has_approved(asking: Station):
    run = asking.begin_training(FIRST)
    card = _question(asking, run)["body"]
    waiting = asking.champion()

    result = _answer(asking, run, "Approve", comment="looks right")

    decision = asking.ledger()[-1].decision
    assert "Passed" in card
    assert waiting is None
    assert result.succeeded
    assert asking.champion().number == 1
    assert decision.action == "promotion"
    assert decision.who == f"admin in asking__train/{run}"
    assert "(looks right)" in decision.why


def test_a_candidate_that_a_person_rejects_stays_out(asking: Station):
    live = asking.champion()
    run = asking.begin_training(day_after(42))
    _question(asking, run)
    challenger = versions.by_alias(asking.mlflow, asking.name, promotion.CHALLENGER)

    result = _answer(asking, run, "Reject", comment="too soon")

    decision = asking.ledger()[-1].decision
    rejected = asking.mlflow.get_model_version(asking.name, str(challenger.number))
    assert states(result)["promote"] == "skipped"
    assert rejected.tags["reason"] == "admin rejected it (too soon)."
    assert (decision.action, decision.version) == ("rejection", challenger.number)
    assert asking.champion().number == live.number
    assert versions.by_alias(asking.mlflow, asking.name, promotion.CHALLENGER) is None


def _question(asking: Station, run: str) -> dict[str, Any]:
    """The question of the task `approve`, once it asks."""
    _wait_for_task(asking, "train", run, "approve", "awaiting_input")
    return dict(asking.airflow.request("GET", _question_path(run)))


def _answer(asking: Station, run: str, option: str, *, comment: str) -> RunResult:
    # As a person would, not in the half second in which Airflow 3.3.2 still books the pause: an
    # answer that overtakes the executor's event counts as a lost task, which then asks again.
    time.sleep(READING_S)
    body = {"chosen_options": [option], "params_input": {"comment": comment}}
    asking.airflow.request("PATCH", _question_path(run), body)
    return asking.airflow.wait_for_run("asking__train", run)


def _question_path(run: str) -> str:
    return f"dags/asking__train/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"


def _wait_for_task(
    watched: Station, verb: str, run: str, task_id: str, state: str, *, limit_s: float = 120
) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        tasks = watched.airflow.tasks(f"{watched.name}__{verb}", run)
        found = {task.task_id: task.state for task in tasks}
        if found.get(task_id) == state:
            return
        assert time.monotonic() < deadline, f"{task_id} is not {state} after {limit_s} s: {found}"
        time.sleep(0.5)
