"""What is measured of a bundle before its gate: the tasks `evaluate` and `drift`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import tables
from pipeline.errors import DataError
from pipeline.records import from_json
from pipeline.steps import candidate as staged
from pipeline.steps import evaluating, fitting
from pipeline.steps.candidate import Candidate
from pipeline.tables import Table
from tests.builders import days
from tests.steps.plant_world import HISTORY, make_world
from tests.steps.staged_candidate import Payload, fitted, measured, restored

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AS_OF = days(HISTORY + 1)[-1].isoformat()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Evidently's page takes half a minute to import and is tested beside its code.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        yield make_world(tmp_path_factory.mktemp("farm"), patch)


@pytest.fixture(scope="module")
def calibrated(world) -> Payload:
    return fitted(world.here, AS_OF)


@pytest.fixture(scope="module")
def judged(world, calibrated) -> Payload:
    """The payload of `drift` for the gate."""
    return measured(world.here, calibrated)


@pytest.fixture
def lake(judged) -> Path:
    """The folder of the candidate's files; changes by a test are undone after it."""
    with restored(judged) as folder:
        yield folder


def test_it_is_evaluated_on_the_test_block_alone(judged):
    candidate = from_json(Candidate, judged)
    test = fitting.block_of(candidate, "test").frame

    found = evaluating.tryout_of(candidate)

    assert found.evaluation.rows == len(test)
    assert found.evaluation.days == test["timestamp"].dt.date.nunique()
    assert found.faults


def test_the_run_has_the_measurements_and_the_pictures(world, judged):
    run = world.client.get_run(judged["run_id"])
    tried = evaluating.tryout_of(from_json(Candidate, judged))
    files = {
        Path(file.path).name
        for folder in (staged.EVALUATION, staged.DRIFT)
        for file in world.client.list_artifacts(judged["run_id"], folder)
    }

    assert run.data.metrics["test/rows"] == tried.evaluation.rows
    assert run.data.metrics["test/false_positive_rate"] == tried.evaluation.rate.rate
    assert run.data.metrics["bundle/latency_ms"] == tried.latency_ms
    assert {f"faults/{kind}" for kind in ("spike", "drift", "stuck")} <= run.data.metrics.keys()
    assert {name for name in run.data.metrics if name.startswith("drift/")}
    assert files >= {
        "tryout.json",
        "score_distribution.png",
        "fault_recall.png",
        "verdict.json",
        "drift_report.html",
        "drift_distances.png",
    }


@pytest.mark.usefixtures("lake")
def test_a_task_that_runs_again_renews_its_sums_and_adds_no_second_verdict(world, judged):
    table = Table(world.here.storage, "pumps", "drift")
    before = tables.read(table)
    again = measured(world.here, judged)

    assert again["sums"].keys() == judged["sums"].keys()
    assert evaluating.tryout_of(from_json(Candidate, again)).evaluation.rows > 0
    with staged.pulled(from_json(Candidate, again), staged.EVALUATION) as folder:
        assert (folder / "tryout.json").exists()
    assert set(before["source"]) == {judged["name"]}
    assert len(tables.read(table)) == len(before)


@pytest.mark.parametrize("task", [evaluating.evaluate, evaluating.drift])
def test_a_bundle_that_was_changed_after_its_calibration_is_not_measured(world, judged, lake, task):
    model = lake / "bundle" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])

    with pytest.raises(DataError, match=r"model\.onnx is not what the task before left there"):
        task(world.here, judged)


def test_drift_is_not_judged_before_the_candidate_was_evaluated(world, calibrated):
    with pytest.raises(DataError, match=r"came without the SHA-256 of its evaluation/tryout\.json"):
        evaluating.drift(world.here, calibrated)
