"""The OpenLineage events of the main chain, step by step, on real tables and MLflow."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

import pytest

from pipeline import log_context, settings, tables
from pipeline.errors import DataError, PartitionBlocked
from pipeline.lineage.events import parent_id
from pipeline.steps import (
    evaluating,
    fitting,
    gating,
    ingestion,
    promotion,
    recalibrating,
    rollback,
    scoring,
)
from pipeline.tables import Table
from tests.builders import days, make_frame
from tests.lineage.reading import events_in, lineage_in, names
from tests.steps.plant_world import HISTORY, make_world

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NEW_DAY = days(HISTORY + 1)[-1]
AS_OF = days(HISTORY + 2)[-1].isoformat()


def through_airflow(payload):
    return json.loads(json.dumps(payload))


def ingest(day):
    fetched = ingestion.fetch(settings.load(), "pumps", [day], run="pumps__ingest/r1")
    validated = ingestion.validate(
        settings.load(), through_airflow(fetched), run="pumps__ingest/r1"
    )
    return ingestion.write(settings.load(), through_airflow(validated), run="pumps__ingest/r1")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """One day ingested and scored; a training, a recalibration and a rollback; their events."""
    home = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        frame = make_frame(HISTORY + 1)
        world = make_world(home, patch, frame)
        # Evidently takes ten seconds to import, and emits no lineage.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        with lineage_in(home / "lineage") as folder:
            with log_context.about(detector="pumps", partition=NEW_DAY.isoformat()):
                ingest(NEW_DAY.isoformat())
                scoring.score_days(
                    settings.load(), "pumps", [str(each) for each in days(HISTORY + 1)], run="s/r1"
                )
            candidate = fitting.window(settings.load(), "pumps", AS_OF)
            fitted = fitting.train(settings.load(), candidate, run="pumps__train/r1")
            judged = evaluating.drift(
                settings.load(),
                evaluating.evaluate(settings.load(), fitting.calibrate(settings.load(), fitted)),
            )
            passed = gating.gate(settings.load(), judged, run="pumps__train/r1") | {"passed": True}
            promotion.promote(settings.load(), passed, answer=None, run="pumps__train/r1")
            how = {"target": "previous", "reason": "a test", "who": "ada"}
            rollback.set_champion(
                settings.load(), rollback.validate_target(settings.load(), "pumps", **how), **how
            )
            rows = recalibrating.window(settings.load(), "pumps", AS_OF)
            recalibrated = recalibrating.recalibrate(
                settings.load(), rows, run="pumps__recalibrate/r1"
            )
            gating.gate(settings.load(), recalibrated, run="pumps__recalibrate/r1")
        yield world, events_in(folder)


def of(chain, verb, state="COMPLETE", nth=0):
    found = [
        event
        for event in chain[1]
        if event["job"]["name"] == f"pumps.{verb}" and event["eventType"] == state
    ]
    return found[nth]


def version(chain, name):
    return str(tables.current_version(Table(chain[0].here.storage, "pumps", name)))


def test_every_job_of_the_chain_starts_and_completes_in_order(chain):
    states = [(event["job"]["name"], event["eventType"]) for event in chain[1]]

    jobs = ["ingest", "score", "train", "gate", "promote", "rollback", "recalibrate", "gate"]
    assert states == [(f"pumps.{verb}", state) for verb in jobs for state in ("START", "COMPLETE")]


def test_both_events_of_a_job_are_of_one_run_and_no_two_jobs_share_one(chain):
    runs = [event["run"]["runId"] for event in chain[1]]

    assert runs[::2] == runs[1::2]
    assert len(set(runs)) == len(runs) / 2
    assert all(UUID(run) for run in runs)
    assert {event["job"]["namespace"] for event in chain[1]} == {"plimsoll"}
    assert all(datetime.fromisoformat(event["eventTime"]).tzinfo for event in chain[1])


def test_a_job_names_the_dag_run_it_is_part_of(chain):
    trained, gated = of(chain, "train"), of(chain, "gate")

    assert trained["run"]["facets"]["parent"]["job"]["name"] == "pumps__train"
    assert trained["run"]["facets"]["parent"]["run"]["runId"] == parent_id("pumps__train/r1")
    assert gated["run"]["facets"]["parent"]["run"]["runId"] == parent_id("pumps__train/r1")


def test_ingest_emits_its_source_the_version_it_made_and_the_number_of_rows(chain):
    event = of(chain, "ingest")

    telemetry = next(each for each in event["outputs"] if each["name"].endswith("telemetry"))
    assert names(event, "inputs")["pumps.parquet"] == ""
    assert telemetry["namespace"] == "file"
    assert telemetry["name"] == f"{chain[0].here.storage}/pumps/telemetry"
    assert telemetry["facets"]["version"]["datasetVersion"] == version(chain, "telemetry")
    rows = make_frame(1)
    assert telemetry["outputFacets"]["outputStatistics"]["rowCount"] == len(rows)


def test_ingest_emits_its_partition_as_the_nominal_time(chain):
    nominal = of(chain, "ingest")["run"]["facets"]["nominalTime"]

    assert nominal["nominalStartTime"] == f"{NEW_DAY}T00:00:00+00:00"
    assert nominal["nominalEndTime"] == f"{AS_OF}T00:00:00+00:00"


def test_score_goes_from_telemetry_and_champion_to_scores(chain):
    event = of(chain, "score")

    assert names(event, "inputs")["telemetry"] == version(chain, "telemetry")
    assert names(event, "inputs")["pumps@champion"] == "1"
    assert {"scores", "incidents", "scorings", "days", "cases"} >= names(event, "outputs").keys()
    scores = next(each for each in event["outputs"] if each["name"].endswith("/scores"))
    assert scores["outputFacets"]["outputStatistics"]["rowCount"] == len(make_frame(HISTORY + 1))


def test_training_can_be_followed_from_telemetry_to_the_registered_version(chain):
    trained, gated = of(chain, "train"), of(chain, "gate")

    assert names(trained, "inputs") == {"telemetry": version(chain, "telemetry")}
    (candidate,) = trained["outputs"]
    assert candidate["name"] in {each["name"] for each in gated["inputs"]}
    assert names(gated, "inputs")["telemetry"] == version(chain, "telemetry")
    assert names(gated, "outputs")["pumps"] == "2"


def test_promotion_and_rollback_emit_where_the_champion_points(chain):
    promoted, back = of(chain, "promote"), of(chain, "rollback")

    assert names(promoted, "inputs")["pumps"] == "2"
    assert names(promoted, "outputs")["pumps@champion"] == "2"
    assert names(back, "inputs")["pumps"] == "1"
    assert names(back, "outputs")["pumps@champion"] == "1"


def test_recalibration_goes_from_scored_rows_and_a_version_to_a_new_version(chain):
    recalibrated, gated = of(chain, "recalibrate"), of(chain, "gate", nth=1)

    assert names(recalibrated, "inputs").keys() >= {"telemetry", "scores", "pumps"}
    assert names(recalibrated, "inputs")["pumps"] == "1"
    (candidate,) = recalibrated["outputs"]
    assert candidate["name"] in {each["name"] for each in gated["inputs"]}
    assert names(gated, "outputs")["pumps"] == "3"


def test_a_blocked_day_is_a_failed_ingestion_with_the_reason(house, tmp_path):
    frame = make_frame(1)
    frame["pressure"] *= 1e9
    house.deliver(frame)

    with lineage_in(tmp_path / "lineage") as folder, pytest.raises(PartitionBlocked):
        ingest(days(1)[0].isoformat())

    began, failed = events_in(folder)
    assert (began["eventType"], failed["eventType"]) == ("START", "FAIL")
    message = failed["run"]["facets"]["errorMessage"]
    assert message["message"].startswith("PartitionBlocked: ")
    assert "pressure" in message["message"]
    assert names(failed, "outputs").keys() >= {"quarantine", "ingestions"}


@pytest.mark.usefixtures("house")
def test_a_source_that_cannot_be_read_is_a_failed_ingestion_that_began(tmp_path):
    with lineage_in(tmp_path / "lineage") as folder, pytest.raises(Exception, match=r"pumps"):
        ingestion.fetch(settings.load(), "pumps", ["2024-01-01"], run="pumps__ingest/r1")

    began, failed = events_in(folder)
    assert (began["eventType"], failed["eventType"]) == ("START", "FAIL")
    assert began["run"]["runId"] == failed["run"]["runId"]
    assert began["eventTime"] < failed["eventTime"]


@pytest.mark.usefixtures("house")
def test_days_that_cannot_be_scored_are_a_failed_scoring(tmp_path):
    with lineage_in(tmp_path / "lineage") as folder, pytest.raises(DataError):
        scoring.score_days(settings.load(), "pumps", [], run="s/r1")

    assert [event["eventType"] for event in events_in(folder)] == ["START", "FAIL"]
