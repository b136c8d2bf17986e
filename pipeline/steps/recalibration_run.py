"""The MLflow run of a recalibration: its parameters, its metrics and its figure."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from pipeline import staging
from pipeline.config import DetectorSpec
from pipeline.data.timeline import Episode
from pipeline.incidents import Incident
from pipeline.recalibration import Recalibrated, WindowRows
from pipeline.records import to_json
from pipeline.registry import runs, tags
from pipeline.registry.connection import Client, connect
from pipeline.report.figures.recalibration import WindowPicture, recalibration_window
from pipeline.report.recalibration_card import HeldEpisode
from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate
from pipeline.steps.candidate_run import open_run
from pipeline.steps.live import LoadedVersion
from pipeline.steps.origin import RecalibrationInputs, RecalibrationWindow, deciding
from pipeline.steps.scored_window import staged_rows, window_rows
from pipeline.store.incidents import incidents_between

RECALIBRATION, FIGURE = "recalibration", "window.png"


def log_recalibration(
    here: Deployment,
    candidate: Candidate,
    spec: DetectorSpec,
    inputs: RecalibrationInputs,
    parent: LoadedVersion,
    result: Recalibrated,
    *,
    run: str,
) -> Candidate:
    """The candidate with its MLflow run, which holds parameters, metrics and the figure."""
    about = runs.job_tags(candidate.detector, run) | {
        tags.KIND: candidate.kind,
        tags.WEIGHTS_OF: str(tags.weights_of(parent.version)),
    }
    opened = open_run(
        here,
        candidate,
        described(inputs.window),
        _parameters(spec, inputs),
        _metrics(result),
        tags=about,
    )
    rows = window_rows(staged_rows(candidate), spec)
    held = held_episodes(here, spec, inputs.window, result)
    _log_evidence(connect(here), opened, rows, result, parent.bundle.threshold, held)
    return opened


def held_episodes(
    here: Deployment, spec: DetectorSpec, window: RecalibrationWindow, result: Recalibrated
) -> tuple[HeldEpisode, ...]:
    """The episodes held back, with the features that their incident blames."""
    known = incidents_between(here, spec, window.first_day, window.last_day)
    return tuple(_with_features(episode, known) for episode in result.held)


def described(window: RecalibrationWindow) -> str:
    """The text about a recalibration for the description of its run."""
    return (
        f"Version {window.drawn_from} recalibrated on {window.first_day} to {window.last_day}: "
        f"{window.days} validated days before {window.as_of}, same weights."
    )


def _parameters(spec: DetectorSpec, inputs: RecalibrationInputs) -> dict[str, object]:
    sections = {"recalibration": spec.recalibration, "threshold": spec.threshold}
    values = {
        f"{section}.{key}": value
        for section, model in sections.items()
        for key, value in model.model_dump(mode="json").items()
    }
    accepted, growth = inputs.acceptance, inputs.growth_accepted
    return {
        **values,
        **{f"data.{key}": value for key, value in deciding(inputs).items()},
        "accepted_beyond_bounds": accepted.text if accepted else "",
        "growth_accepted": growth.text if growth else "",
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
        folder = RECALIBRATION
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
        features=tuple(each.channel for each in blamed),
    )
