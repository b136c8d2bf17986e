"""Tasks `window`, `train` and `calibrate`: from telemetry to a bundle."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from pipeline import lineage
from pipeline.config import DetectorSpec, Model
from pipeline.data.grid import as_day
from pipeline.data.split import Block, Role, split
from pipeline.detector.bundle.bundle import write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.calibration.calibrate import calibrate as calibrated_on
from pipeline.detector.calibration.calibrated import Calibration
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.models.fitted import FittedNetwork, load_fitted, save_fitted
from pipeline.detector.training.warm_start import WarmStart, tuned
from pipeline.provenance import code_version, lock_hash
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import pages, runs
from pipeline.registry.connection import connect
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import metrics_hooks
from pipeline.steps.candidate import Candidate
from pipeline.steps.warm_start import Prepared, prepare, roles
from pipeline.store.confirmed_incidents import read_confirmed_incidents
from pipeline.store.training_window import WindowManifest, read_training_window

CONFIRMED, OLDER = "confirmed_incidents", "older"  # file names in the lake


@lineage.stage("train")
def window(
    here: Deployment,
    detector: str,
    as_of: str,
    *,
    training_days: int | None = None,
    warm_start: bool = False,
) -> Payload[Candidate]:
    """Read the training window before `as_of` and split it into three blocks.

    With `warm_start` the train block shrinks to its recent normal rows, and the live version's
    weights and older rows are staged beside it; calibration and test stay as they are.
    """
    spec = staged.detector_named(here, detector, training_days=training_days)
    read = read_training_window(here, spec, as_day(as_of))
    blocks = split(read.frame, spec)
    tuning = prepare(here, spec, read.manifest, blocks) if warm_start else None
    origin = staged.pin(spec, read.manifest, tuning.start if tuning else None)
    name = staged.name_candidate(origin)
    candidate = Candidate(detector, name, staged.uri_of(here, detector, name))
    candidate = staged.stage_origin(candidate, origin)
    if tuning is not None:
        blocks = replace(blocks, train=Block("train", tuning.recent))
        candidate = _stage_tuning(candidate, tuning)
    for block in (blocks.train, blocks.calibration, blocks.test):
        candidate = staged.stage_table(candidate, _path(block.role), block.frame)
    tested = set(blocks.test.frame[spec.columns.timestamp].dt.date)
    confirmed = read_confirmed_incidents(here, spec, read.manifest, without=tested)
    return to_json(staged.stage_table(candidate, _path(CONFIRMED), confirmed))


@lineage.job("train")
def train(here: Deployment, payload: Payload[Candidate], *, run: str) -> Payload[Candidate]:
    """Fit the networks on the train block and open the candidate's MLflow run."""
    # Here, because torch is heavy and no other step needs it.
    from pipeline.detector.training.fit import fit

    candidate, began = from_json(Candidate, payload), time.monotonic()
    spec, manifest = staged.origin_of(candidate)
    lineage.note_read(manifest.table, version=manifest.table_version)
    # One thread: for networks this small, threads wait longer than they save (7 times the CPU with
    # two), and the same seed gives the same weights on any number of cores.
    fitted = fit(
        block_of(candidate, "train"),
        schema_for(spec),
        _model_of(candidate, spec),
        spec.score,
        threads=1,
        start=_warm_start_of(candidate, spec),
    )
    with tempfile.TemporaryDirectory() as scratch:
        save_fitted(fitted, Path(scratch))
        candidate = staged.stage_folder(candidate, staged.FIT, Path(scratch))
    lineage.note_written(candidate.uri)
    opened = _opened(here, candidate, spec, manifest, fitted, run)
    metrics_hooks.trained(here, candidate.detector, time.monotonic() - began, now=datetime.now(UTC))
    return to_json(opened)


@lineage.stage("train")
def calibrate(here: Deployment, payload: Payload[Candidate]) -> Payload[Candidate]:
    """Estimate the threshold on the calibration block and write the bundle."""
    candidate = from_json(Candidate, payload)
    spec, manifest = staged.origin_of(candidate)
    with staged.pulled(candidate, staged.FIT) as folder:
        fitted = load_fitted(folder)
    scorer = Graph(fitted.graph).score
    calibration = calibrated_on(
        block_of(candidate, "calibration"),
        fitted.facts.schema,
        scorer,
        spec.threshold,
        smoothing=spec.smoothing,
        contexts=spec.contexts,
    )
    candidate = _stage_bundle(candidate, fitted, calibration, manifest)
    metrics = runs.threshold_metrics(calibration.threshold)
    runs.log_metrics(connect(here), candidate.run_id, metrics)
    return to_json(candidate)


def block_of(candidate: Candidate, role: Role) -> Block:
    """One staged block of `window`."""
    return Block(role, staged.staged_table(candidate, _path(role)))


def confirmed_incidents_of(candidate: Candidate) -> pd.DataFrame:
    """Other days with confirmed incidents, as `window` staged them; may be empty."""
    return staged.staged_table(candidate, _path(CONFIRMED))


def described(candidate: Candidate, manifest: WindowManifest) -> str:
    """The text about a candidate for the description of its run."""
    start = staged.start_of(candidate)
    return (
        f"Candidate of `{candidate.detector}`, trained on {manifest.first_day} to "
        f"{manifest.last_day}: {manifest.days} validated days before {manifest.as_of}."
    ) + (f" Fine-tuned from version {start.version}." if start else "")


def _path(rows: str) -> str:
    """The path of staged rows in a candidate."""
    return f"{staged.BLOCKS}/{rows}.parquet"


def _stage_tuning(candidate: Candidate, tuning: Prepared) -> Candidate:
    with tempfile.TemporaryDirectory() as scratch:
        save_fitted(tuning.network, Path(scratch))
        candidate = staged.stage_folder(candidate, staged.START, Path(scratch))
    return staged.stage_table(candidate, _path(OLDER), tuning.older)


def _model_of(candidate: Candidate, spec: DetectorSpec) -> Model:
    """The model section, with the fine-tuning's settings where there is one."""
    if staged.start_of(candidate) is None:
        return spec.model
    return tuned(spec.model, spec.fine_tuning)


def _warm_start_of(candidate: Candidate, spec: DetectorSpec) -> WarmStart | None:
    if staged.start_of(candidate) is None:
        return None
    with staged.pulled(candidate, staged.START) as folder:
        network = load_fitted(folder)
    older = Block("train", staged.staged_table(candidate, _path(OLDER)))
    return WarmStart(network, older, spec.fine_tuning.replay_share)


def _stage_bundle(
    candidate: Candidate, fitted: FittedNetwork, calibration: Calibration, manifest: WindowManifest
) -> Candidate:
    spec, _ = staged.origin_of(candidate)
    data = to_json(manifest) | roles(spec)
    provenance = Provenance(data, code_version(), lock_hash(), staged.start_of(candidate))
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch)
        write_bundle(fitted, calibration, bundle, name=candidate.detector, provenance=provenance)
        return staged.stage_folder(candidate, staged.BUNDLE, bundle)


def _opened(
    here: Deployment,
    candidate: Candidate,
    spec: DetectorSpec,
    manifest: WindowManifest,
    fitted: FittedNetwork,
    run: str,
) -> Candidate:
    """The candidate with its MLflow run, which records the fit."""
    client = connect(here)
    opened = runs.find_or_start(
        client,
        detector=candidate.detector,
        candidate=candidate.name,
        tags=runs.job_tags(candidate.detector, run),
    )
    run_id = opened.info.run_id
    facts = fitted.facts
    runs.describe(client, run_id, f"**Not judged yet.** {described(candidate, manifest)}")
    start, model = staged.start_of(candidate), _model_of(candidate, spec)
    runs.log_parameters(client, run_id, _parameters(spec, manifest, model, start))
    runs.log_history(client, run_id, "loss/train", [(c.step, c.train) for c in facts.history])
    runs.log_history(
        client, run_id, "loss/validation", [(c.step, c.validation) for c in facts.history]
    )
    runs.log_metrics(
        client,
        run_id,
        {
            "train/rows": float(facts.rows_train),
            "train/rows_validation": float(facts.rows_validation),
            "train/best_step": float(facts.best_step),
            **{f"train/{name}": value for name, value in facts.measured.items()},
        },
    )
    runs.log_dataset(
        client,
        run_id,
        name=f"{candidate.detector}.telemetry",
        uri=manifest.table,
        table_version=manifest.table_version,
        rows=manifest.normal_rows,
    )
    page = pages.run_page(here.mlflow_url, opened.info.experiment_id, run_id)
    return replace(candidate, run_id=run_id, page=page)


def _parameters(
    spec: DetectorSpec, manifest: WindowManifest, model: Model, start: Start | None
) -> dict[str, object]:
    sections = {
        "model": model,
        "score": spec.score,
        "threshold": spec.threshold,
        "smoothing": spec.smoothing,
        "contexts": spec.contexts,
        "split": spec.split,
        **({"fine_tuning": spec.fine_tuning} if start else {}),
    }
    values = {
        f"{section}.{key}": value
        for section, settings_of in sections.items()
        for key, value in settings_of.model_dump(mode="json").items()
    }
    return {
        **values,
        **({"data.warm_start_of": start.version} if start else {}),
        "window.length": spec.window.length,
        "data.as_of": manifest.as_of,
        "data.first_day": manifest.first_day,
        "data.last_day": manifest.last_day,
        "data.days": manifest.days,
        "data.rows": manifest.rows,
        "data.table_version": manifest.table_version,
        "data.labels": manifest.labels,
        "data.newest_label": manifest.newest_label,
    }
