"""The MLflow run of a recalibration: its parameters, its metrics and its figure."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from pipeline import staging
from pipeline.config import DetectorSpec
from pipeline.data.timeline import Episode
from pipeline.incidents import Incident
from pipeline.recalibration import Recalibrated, WindowRows
from pipeline.records import to_json
from pipeline.registry import pages, runs, tags
from pipeline.registry.connection import Client, connect
from pipeline.report.figures.recalibration import WindowPicture, recalibration_window
from pipeline.report.recalibration_card import HeldEpisode
from pipeline.settings import Deployment
from pipeline.steps import recalibration_origin
from pipeline.steps.candidate import Candidate
from pipeline.steps.incidents import incidents_between
from pipeline.steps.live import LoadedVersion
from pipeline.steps.recalibration_origin import RecalibrationOrigin
from pipeline.steps.scored_window import window_rows

FIGURE = "window.png"


def open_run(
    here: Deployment,
    candidate: Candidate,
    spec: DetectorSpec,
    origin: RecalibrationOrigin,
    parent: LoadedVersion,
    result: Recalibrated,
    *,
    run: str,
) -> Candidate:
    """The candidate with its MLflow run, which holds parameters, metrics and the figure."""
    client = connect(here)
    about = runs.job_tags(candidate.detector, run) | {
        tags.KIND: recalibration_origin.KIND,
        tags.WEIGHTS_OF: str(tags.weights_of(parent.version)),
    }
    opened = runs.find_or_start(
        client, detector=candidate.detector, candidate=candidate.name, tags=about
    )
    run_id = opened.info.run_id
    found = replace(
        candidate,
        run_id=run_id,
        page=pages.run_page(here.mlflow_url, opened.info.experiment_id, run_id),
    )
    runs.describe(client, run_id, f"**Not judged yet.** {described(origin)}")
    runs.log_parameters(client, run_id, _parameters(spec, origin))
    runs.log_metrics(client, run_id, _metrics(result))
    rows = window_rows(recalibration_origin.rows_of(candidate), spec)
    held = held_episodes(here, spec, origin, result)
    _log_evidence(client, found, rows, result, parent.bundle.threshold, held)
    return found


def held_episodes(
    here: Deployment, spec: DetectorSpec, origin: RecalibrationOrigin, result: Recalibrated
) -> tuple[HeldEpisode, ...]:
    """The episodes held back, with the features that their incident blames."""
    window = origin.window
    root = here.storage
    known = incidents_between(spec, window.first_day, window.last_day, root=root)
    return tuple(_with_features(episode, known) for episode in result.held)


def described(origin: RecalibrationOrigin) -> str:
    """The text about a recalibration for the description of its run."""
    window = origin.window
    return (
        f"Version {window.drawn_from} recalibrated on {window.first_day} to {window.last_day}: "
        f"{window.days} validated days before {window.as_of}, same weights."
    )


def _parameters(spec: DetectorSpec, origin: RecalibrationOrigin) -> dict[str, object]:
    sections = {"recalibration": spec.recalibration, "threshold": spec.threshold}
    values = {
        f"{section}.{key}": value
        for section, model in sections.items()
        for key, value in model.model_dump(mode="json").items()
    }
    window = {
        f"data.{key}": value for key, value in recalibration_origin.given(origin.window).items()
    }
    accepted = origin.acceptance
    return {
        **values,
        **window,
        "accepted_beyond_bounds": f"{accepted.who}: {accepted.reason}" if accepted else "",
    }


def _metrics(result: Recalibrated) -> dict[str, float]:
    metrics = runs.threshold_metrics(result.threshold) | {
        "move/step": result.step,
        "move/total": result.total,
        "move/growth": result.growth,
        "window/held_episodes": float(len(result.held)),
    }
    return metrics | {f"window/{name}": float(count) for name, count in result.counts.items()}


def _log_evidence(
    client: Client,
    candidate: Candidate,
    rows: WindowRows,
    result: Recalibrated,
    old: float,
    held: tuple[HeldEpisode, ...],
) -> None:
    """Log the figure of the window, and the held episodes for whoever labels them."""
    picture = WindowPicture(
        timeline=rows.timeline,
        score=rows.score,
        status=result.status,
        old=old,
        new=result.threshold.value,
        held=result.held,
    )
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / FIGURE).write_bytes(recalibration_window(picture))
        records = [to_json(episode) for episode in held]
        (Path(scratch) / "held.json").write_text(json.dumps(records, indent=1))
        folder = recalibration_origin.RECALIBRATION
        staging.push(Path(scratch), candidate.folder(folder))
        runs.log_folder(client, candidate.run_id, Path(scratch), folder)


def _with_features(episode: Episode, known: list[Incident]) -> HeldEpisode:
    blamed = next(
        (
            each.features
            for each in known
            if each.entity == episode.entity
            and each.start <= episode.end
            and each.end >= episode.start
        ),
        (),
    )
    return HeldEpisode(
        entity=episode.entity,
        start=episode.start.to_pydatetime(),
        end=episode.end.to_pydatetime(),
        rows=len(episode.rows),
        features=tuple(each.feature for each in blamed),
    )
