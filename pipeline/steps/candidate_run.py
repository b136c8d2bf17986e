"""The MLflow run of a candidate, of either kind, from the task that makes its threshold on."""

from __future__ import annotations

from dataclasses import replace

from pipeline.registry import pages, runs
from pipeline.registry.connection import connect
from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate


def open_run(
    here: Deployment,
    candidate: Candidate,
    about: str,
    parameters: dict[str, object],
    metrics: dict[str, float],
    *,
    tags: dict[str, str],
) -> Candidate:
    """The candidate with its run, found or started, which says `about` until the gate decides."""
    client = connect(here)
    opened = runs.find_or_start(
        client, detector=candidate.detector, candidate=candidate.name, tags=tags
    )
    run_id = opened.info.run_id
    runs.describe(client, run_id, f"**Not judged yet.** {about}")
    runs.log_parameters(client, run_id, parameters)
    runs.log_metrics(client, run_id, metrics)
    page = pages.run_page(here.mlflow_url, opened.info.experiment_id, run_id)
    return replace(candidate, run_id=run_id, page=page)
