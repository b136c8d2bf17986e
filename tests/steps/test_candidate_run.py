"""The MLflow run of a candidate, in a real MLflow on SQLite."""

from __future__ import annotations

import pytest

from pipeline import settings
from pipeline.registry.connection import connect
from pipeline.steps.candidate import Candidate
from pipeline.steps.candidate_run import open_run

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_task_that_runs_again_finds_its_run_which_is_not_judged_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    here = settings.load()
    candidate = Candidate("pumps", "2024-02-01-abc", "nowhere")

    def opened(name: str, loss: float) -> Candidate:
        return open_run(
            here,
            Candidate("pumps", name, "nowhere"),
            "Two days of rows.",
            {"model.width": 16},
            {"loss": loss},
            tags={"kind": "trained"},
        )

    first, again, other = opened(candidate.name, 2.0), opened(candidate.name, 1.0), opened("x", 3.0)

    assert again == first
    assert other.run_id != first.run_id
    assert first.run_id in first.page
    run = connect(here).get_run(first.run_id)
    assert run.data.tags["mlflow.note.content"] == "**Not judged yet.** Two days of rows."
    assert (run.data.params["model.width"], run.data.metrics["loss"]) == ("16", 1.0)
    assert run.data.tags["kind"] == "trained"
