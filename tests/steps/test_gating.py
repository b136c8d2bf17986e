"""The gate of both kinds of candidate, on real tables and a real registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pipeline import staging, tables
from pipeline.errors import DataError
from pipeline.gate import checks_for
from pipeline.records import from_json, to_json
from pipeline.registry import tags, versions
from pipeline.steps import evaluating, gating, recalibrating
from pipeline.steps.candidate import Candidate
from pipeline.tables import Table
from tests.builders import days
from tests.steps.plant_world import HISTORY, TRAINED, World, make_world
from tests.steps.staged_candidate import RUN, Payload, fitted, measured, restored

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AS_OF = days(HISTORY + 1)[-1].isoformat()
RECALIBRATE = "pumps__recalibrate/r3"

Attack = Callable[[Path], None]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Evidently's page takes half a minute to import and is tested beside its code.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        yield make_world(tmp_path_factory.mktemp("farm"), patch)


@pytest.fixture(scope="module")
def candidate(world) -> Payload:
    """The payload of `drift`, whose candidate has version 1 before it."""
    return measured(world.here, fitted(world.here, AS_OF))


@pytest.fixture(scope="module")
def trained(world, candidate) -> Payload:
    """The trained candidate after its gate."""
    return gating.gate(world.here, candidate, run=RUN)


@pytest.fixture(scope="module")
def recalibrated(world, trained) -> Payload:  # noqa: ARG001 - registered before, so that the numbers are known
    """Version 1 with another threshold, after its gate."""
    rows = recalibrating.window(world.here, "pumps", days(TRAINED + 21)[-1].isoformat())
    payload = recalibrating.recalibrate(world.here, rows, run=RECALIBRATE)
    return gating.gate(world.here, payload, run=RECALIBRATE)


@pytest.fixture
def lake(candidate) -> Path:
    """The folder of the trained candidate's files."""
    with restored(candidate) as folder:
        yield folder


def better(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content) + "\n")


def other_rows(path: Path) -> None:
    path.write_bytes((path.parent / "train.parquet").read_bytes())


@pytest.mark.parametrize(
    ("file", "attack"),
    [
        ("bundle/model.onnx", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("bundle/more.json", lambda path: path.write_text("{}")),
        ("bundle/detector.json", lambda path: path.unlink()),
        ("evaluation/tryout.json", better),
        ("drift/verdict.json", better),
        ("blocks/test.parquet", other_rows),
        ("blocks/confirmed_incidents.parquet", other_rows),
        ("origin.json", better),
    ],
)
def test_it_refuses_a_file_that_was_changed_after_its_task(
    world, candidate, lake, file: str, attack: Attack
):
    attack(lake / file)

    with pytest.raises(DataError, match=rf"{file} is not what the task before left there"):
        gating.gate(world.here, candidate, run=RUN)


def test_a_candidate_without_sums_is_not_judged(world, candidate):
    unbound = to_json(replace(from_json(Candidate, candidate), sums={}))

    with pytest.raises(DataError, match="came without the SHA-256 of its bundle"):
        gating.gate(world.here, unbound, run=RUN)


def test_a_trained_candidate_is_registered_with_weights_of_its_own(world, trained):
    version = versions.by_number(world.client, "pumps", trained["version"])

    assert (trained["version"], trained["champion"]) == (2, 1)
    assert (
        version.tags.items()
        >= {
            "gate": "passed" if trained["passed"] else "rejected",
            tags.KIND: "trained",
            tags.WEIGHTS_OF: "2",
            "candidate": trained["candidate"]["name"],
            "bundle_sha256": trained["bundle_sha256"],
        }.items()
    )
    assert version.tags.keys() >= {"threshold", "trained_on", "telemetry_version"}
    assert "drawn_from" not in version.tags
    assert version.description == trained["card"]


def test_a_recalibrated_candidate_is_registered_with_the_weights_of_the_champion(
    world, recalibrated
):
    version = versions.by_number(world.client, "pumps", recalibrated["version"])

    assert (recalibrated["version"], recalibrated["champion"]) == (3, 1)
    assert (
        version.tags.items()
        >= {
            tags.KIND: "recalibrated",
            tags.WEIGHTS_OF: "1",
            "drawn_from": "1",
            "detector": "pumps",
            "candidate": recalibrated["candidate"]["name"],
            "bundle_sha256": recalibrated["bundle_sha256"],
        }.items()
    )
    assert version.tags.keys() >= {"threshold", "drawn_on", "telemetry_version"}
    assert "trained_on" not in version.tags
    assert version.description == recalibrated["card"]


@pytest.mark.parametrize("kind", ["trained", "recalibrated"])
def test_the_checks_of_its_kind_are_in_the_lake_on_the_card_and_in_the_run(
    world, kind: str, request
):
    judged = request.getfixturevalue(kind)
    verdict = gating.verdict_of(from_json(Candidate, judged["candidate"]))
    run = world.client.get_run(judged["candidate"]["run_id"])

    assert [result.name for result in verdict.results] == list(checks_for(kind))
    assert verdict.passed == judged["passed"]
    assert all(result.name.replace("_", " ") in judged["card"] for result in verdict.results)
    logged = {name for name in run.data.metrics if name.startswith("gate/")}
    assert logged == {f"gate/{r.name}" for r in verdict.results if r.measured is not None}
    outcome = "Passed" if judged["passed"] else "Rejected"
    assert run.data.tags["mlflow.note.content"].startswith(f"**{outcome}.** ")
    assert judged["candidate"]["page"]


def test_the_evidence_for_the_ledger_names_rows_code_and_threshold(trained, recalibrated):
    new, moved = (json.loads(each["evidence"]) for each in (trained, recalibrated))

    common = {"trained_on", "telemetry_version", "code", "lock", "threshold", "gate"}
    assert new.keys() == common
    assert moved.keys() == common | {"weights_of"}
    assert moved["weights_of"] == 1


def test_both_thresholds_are_in_their_table_and_only_a_trained_one_has_a_realised_rate(
    world, trained, recalibrated
):
    rows = tables.read(Table(world.here.storage, "pumps", "thresholds")).set_index("version")

    numbers = [trained["version"], recalibrated["version"]]
    assert list(rows.loc[numbers, "kind"]) == ["trained", "recalibrated"]
    assert list(rows.loc[numbers, "weights_of"]) == [2, 1]
    assert list(rows.loc[numbers, "realised_rate"].notna()) == [True, False]


def test_a_gate_that_runs_again_gives_the_same_version_and_no_second_row(world, candidate, trained):
    again = gating.gate(world.here, candidate, run=RUN)

    rows = tables.read(Table(world.here.storage, "pumps", "thresholds"))
    assert again == trained
    assert not rows["version"].duplicated().any()


def test_no_gate_moves_what_is_live(world, trained, recalibrated):  # noqa: ARG001 - after both
    assert world.aliases()["champion"] == 1


def test_a_rejected_candidate_is_registered_with_the_reason(world: World, recalibrated):  # noqa: ARG001 - comes after it
    file = world.here.detectors / "pumps.yaml"
    before = file.read_text()
    strict = world.spec.recalibration.model_copy(update={"maximum_step": 1e-6})
    strict = strict.model_copy(update={"maximum_total": 1e-6})
    spec = world.spec.model_copy(update={"recalibration": strict})
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json", by_alias=True)))
    try:
        rows = recalibrating.window(world.here, "pumps", days(TRAINED + 25)[-1].isoformat())
        payload = recalibrating.recalibrate(world.here, rows, run=RECALIBRATE)
        judged = gating.gate(world.here, payload, run=RECALIBRATE)
    finally:
        file.write_text(before)

    version = versions.by_number(world.client, "pumps", judged["version"])
    assert not judged["passed"]
    assert judged["card"].startswith("Rejected against champion 1: pumps, recalibrated on ")
    assert (version.tags["gate"], tags.status_of(version)) == ("rejected", "rejected")
    assert "total_bound" in version.tags["reason"]
    assert "accept_beyond_bounds and a reason" in judged["reason"]


def test_a_candidate_of_an_earlier_release_is_not_judged_by_this_one(world, candidate, lake):
    earlier = {"spec": {}, "window": {}, "code": "c"}
    sum_of = staging.write_json(f"{candidate['uri']}/origin.json", earlier)
    told = candidate | {"sums": candidate["sums"] | {"origin.json": sum_of}}

    with pytest.raises(DataError, match="was started in a release before this one"):
        gating.gate(world.here, told, run=RUN)
    assert lake.exists()
