"""Somebody who may write to the lake changes a candidate's files while it is judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.errors import DataError
from pipeline.records import from_json, to_json
from pipeline.steps import candidate as staged
from pipeline.steps import evaluating, fitting, gating
from pipeline.steps.candidate import Candidate
from tests.builders import days, make_frame
from tests.steps.plant_world import HISTORY, make_world

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("world"),
]

Attack = Callable[[Path], None]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Evidently's page takes half a minute to import and is tested beside its code.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        yield make_world(tmp_path_factory.mktemp("farm"), patch, make_frame(HISTORY))


@pytest.fixture(scope="module")
def judged(world) -> dict:  # noqa: ARG001 - must be there
    """The payload of `drift` for the gate."""
    payload = fitting.window(settings.load(), "pumps", days(HISTORY + 1)[-1].isoformat())
    payload = fitting.calibrate(
        settings.load(), fitting.train(settings.load(), payload, run="pumps__train/r2")
    )
    return evaluating.drift(settings.load(), evaluating.evaluate(settings.load(), payload))


@pytest.fixture
def lake(judged) -> Path:
    """The folder of the candidate's files; changes by a test are undone after it."""
    folder = Path(judged["uri"])
    before = {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    yield folder
    for each in folder.rglob("*"):
        if each.is_file() and each not in before:
            each.unlink()
    for each, content in before.items():
        each.write_bytes(content)


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
def test_the_gate_refuses_a_file_that_was_changed_after_its_task(
    judged, lake, file: str, attack: Attack
):
    attack(lake / file)

    with pytest.raises(DataError, match=rf"{file} is not what the task before left there"):
        gating.gate(settings.load(), judged, run="pumps__train/r2")


@pytest.mark.parametrize("file", ["fit/fitted.json", "blocks/calibration.parquet"])
def test_the_calibration_refuses_another_network_and_other_rows(judged, lake, file: str):
    (lake / file).write_bytes(b"{}")

    with pytest.raises(DataError, match=rf"{file} is not what the task before left there"):
        fitting.calibrate(settings.load(), judged)


def test_a_candidate_without_sums_is_not_judged(judged):
    unbound = to_json(replace(from_json(Candidate, judged), sums={}))

    with pytest.raises(DataError, match=r"came without the SHA-256 of its origin\.json"):
        gating.gate(settings.load(), unbound, run="pumps__train/r2")


@pytest.mark.usefixtures("lake")
def test_a_task_that_runs_again_renews_its_sums(judged):
    again = evaluating.drift(settings.load(), evaluating.evaluate(settings.load(), judged))

    assert again["sums"].keys() == judged["sums"].keys()
    assert evaluating.tryout_of(from_json(Candidate, again)).evaluation.rows > 0
    with staged.pulled(from_json(Candidate, again), staged.EVALUATION) as folder:
        assert (folder / "tryout.json").exists()


def test_staged_files_are_the_ones_judged(judged):
    assert gating.gate(settings.load(), judged, run="pumps__train/r2")["version"] == 2
