"""From telemetry to a bundle: the tasks `window`, `train` and `calibrate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.split import trains
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.errors import DataError
from pipeline.records import from_json
from pipeline.steps import candidate as staged
from pipeline.steps import fitting
from pipeline.steps.candidate import Candidate
from pipeline.steps.origin import TrainingInputs, origin_of
from tests.builders import ROWS_A_DAY, days
from tests.steps.plant_world import HISTORY, make_world
from tests.steps.staged_candidate import RUN, Payload, fitted, restored

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AS_OF = days(HISTORY + 1)[-1].isoformat()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield make_world(tmp_path_factory.mktemp("farm"), patch)


@pytest.fixture(scope="module")
def calibrated(world) -> Payload:
    return fitted(world.here, AS_OF)


@pytest.fixture
def lake(calibrated) -> Path:
    """The folder of the candidate's files; changes by a test are undone after it."""
    with restored(calibrated) as folder:
        yield folder


def days_of(candidate: Candidate, role) -> set:
    return set(fitting.block_of(candidate, role).frame["timestamp"].dt.date)


def test_each_day_of_the_window_serves_one_purpose(world):
    candidate = from_json(Candidate, fitting.window(world.here, "pumps", AS_OF))
    spec, inputs = origin_of(candidate, TrainingInputs)
    train, calibration, test = (days_of(candidate, r) for r in ("train", "calibration", "test"))

    assert train | calibration | test == set(days(HISTORY)[-spec.split.training_days :])
    assert len(train) + len(calibration) + len(test) == spec.split.training_days
    assert train == {day for day in train | calibration | test if trains(day, spec)}
    assert inputs.window.rows == inputs.window.days * ROWS_A_DAY
    assert (candidate.kind, candidate.weights_of, inputs.start) == ("trained", None, None)


def test_a_run_may_ask_for_a_shorter_window_and_the_candidate_remembers_it(world):
    payload = fitting.window(world.here, "pumps", AS_OF, training_days=20)

    spec, inputs = origin_of(from_json(Candidate, payload), TrainingInputs)
    assert spec.split.training_days == inputs.window.days == 20
    assert payload["name"] != fitting.window(world.here, "pumps", AS_OF)["name"]


def test_the_same_window_is_the_same_candidate_with_the_same_files(world):
    one, other = (fitting.window(world.here, "pumps", AS_OF) for _ in range(2))

    assert one == other


def test_the_run_says_what_was_fitted_on_what(world, calibrated):
    run = world.client.get_run(calibrated["run_id"])
    window = origin_of(from_json(Candidate, calibrated), TrainingInputs)[1].window

    assert run.data.params["model.family"] == "denoising"
    assert run.data.params["data.first_day"] == str(window.first_day)
    assert run.data.params["data.table_version"] == str(window.table_version)
    assert run.data.metrics["train/rows"] > 0
    history = world.client.get_metric_history(calibrated["run_id"], "loss/validation")
    assert len(history) > 1
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "pumps.telemetry"
    assert run.data.tags["mlflow.note.content"].startswith(
        "**Not judged yet.** Candidate of `pumps`, trained on "
    )
    assert f"/runs/{calibrated['run_id']}" in calibrated["page"]


def test_the_bundle_says_which_rows_and_roles_of_days_it_was_made_of(world, calibrated):
    candidate = from_json(Candidate, calibrated)
    spec, inputs = origin_of(candidate, TrainingInputs)
    with staged.pulled(candidate, staged.BUNDLE) as folder:
        bundle = load_bundle(folder)

    data = bundle.description.provenance.data
    assert data["last_day"] == str(inputs.window.last_day)
    assert data["split"]["train"] == spec.split.train
    assert bundle.description.lineage is None
    run = world.client.get_run(calibrated["run_id"])
    assert run.data.metrics["threshold"] == bundle.threshold


@pytest.mark.parametrize("file", ["fit/fitted.json", "blocks/calibration.parquet"])
def test_the_calibration_refuses_another_network_and_other_rows(world, calibrated, lake, file: str):
    (lake / file).write_bytes(b"{}")

    with pytest.raises(DataError, match=rf"{file} is not what the task before left there"):
        fitting.calibrate(world.here, calibrated)


def test_the_training_refuses_other_rows(world):
    payload = fitting.window(world.here, "pumps", AS_OF, training_days=30)
    path = Path(payload["uri"]) / "blocks" / "train.parquet"
    path.write_bytes((path.parent / "test.parquet").read_bytes())

    with pytest.raises(DataError, match=r"blocks/train\.parquet is not what the task before left"):
        fitting.train(world.here, payload, run=RUN)
