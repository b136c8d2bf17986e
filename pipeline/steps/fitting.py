"""Tasks `window`, `train` and `calibrate`: from telemetry to a bundle."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from pipeline import lineage
from pipeline.cases import CaseSpan
from pipeline.config import DetectorSpec, Model
from pipeline.data.grid import as_day
from pipeline.data.split import Block, Blocks, Role, split
from pipeline.detector.bundle.bundle import write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate as calibrated_on
from pipeline.detector.calibration.calibrated import Calibration
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.models.fitted import FittedNetwork, load_fitted, save_fitted
from pipeline.detector.training.fine_tuning_rows import day_roles
from pipeline.detector.training.warm_start import WarmStart, tuned
from pipeline.monitoring.provisional import is_provisional
from pipeline.provenance import code_version, lock_hash
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import runs
from pipeline.registry.connection import connect
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import metrics_hooks
from pipeline.steps.accepted_case_rows import with_accepted_rows
from pipeline.steps.candidate import Candidate
from pipeline.steps.candidate_run import open_run
from pipeline.steps.open_case_rows import without_open_cases
from pipeline.steps.origin import TrainingInputs, origin_of, pin, start_candidate
from pipeline.steps.unscored_days import with_unscored_days
from pipeline.steps.warm_start import Prepared, prepare
from pipeline.store.confirmed_incidents import read_confirmed_incidents
from pipeline.store.training_window import read_training_window

# File names in the lake.
CONFIRMED, OLDER, OPEN_CASES = "confirmed_incidents", "older", "open_cases"
_OPEN_SHIFTS = f"{staged.BLOCKS}/open_shifts.json"


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
    held = with_unscored_days(here, spec, read_training_window(here, spec, as_day(as_of)))
    cleaned = without_open_cases(here, spec, with_accepted_rows(here, spec, held))
    read = cleaned.window
    blocks = split(read.frame, spec)
    tuning = prepare(here, spec, read.manifest, blocks) if warm_start else None
    inputs = TrainingInputs(read.manifest, tuning.start if tuning else None)
    candidate = start_candidate(here, detector, pin(spec, inputs))
    if tuning is not None:
        blocks = replace(blocks, train=Block("train", tuning.recent))
        candidate = _stage_tuning(candidate, tuning)
    for block in (blocks.train, blocks.calibration, blocks.test):
        candidate = staged.stage_table(candidate, _path(block.role), block.frame)
    candidate = staged.stage_table(candidate, _path(OPEN_CASES), cleaned.originals)
    spans = {"spans": [to_json(span) for span in cleaned.shifts]}
    candidate = staged.stage_json(candidate, _OPEN_SHIFTS, spans)
    tested = set(blocks.test.frame[spec.columns.timestamp].dt.date)
    confirmed = read_confirmed_incidents(here, spec, read.manifest, without=tested)
    return to_json(staged.stage_table(candidate, _path(CONFIRMED), confirmed))


@lineage.job("train")
def train(here: Deployment, payload: Payload[Candidate], *, run: str) -> Payload[Candidate]:
    """Fit the networks on the train block and open the candidate's MLflow run."""
    from pipeline.detector.training.refit import FitSettings, fit_held_back  # noqa: PLC0415 - torch, which no other step needs

    candidate, began = from_json(Candidate, payload), time.monotonic()
    spec, inputs = origin_of(candidate, TrainingInputs)
    lineage.note_read(inputs.window.table, version=inputs.window.table_version)
    # One thread: for networks this small, threads wait longer than they save (7 times the CPU with
    # two), and the same seed gives the same weights on any number of cores.
    fitted = fit_held_back(
        block_of(candidate, "train"),
        FitSettings(schema_for(spec), _model_of(inputs, spec), spec.score, spec.threshold.alpha),
        threads=1,
        start=_warm_start_of(candidate, inputs, spec),
    )
    with tempfile.TemporaryDirectory() as scratch:
        save_fitted(fitted, Path(scratch))
        candidate = staged.stage_folder(candidate, staged.FIT, Path(scratch))
    lineage.note_written(candidate.uri)
    opened = _opened(here, candidate, spec, inputs, fitted, run)
    metrics_hooks.trained(here, candidate.detector, time.monotonic() - began, now=datetime.now(UTC))
    return to_json(opened)


@lineage.stage("train")
def calibrate(here: Deployment, payload: Payload[Candidate]) -> Payload[Candidate]:
    """Estimate the threshold on the calibration block and write the bundle."""
    candidate = from_json(Candidate, payload)
    spec, inputs = origin_of(candidate, TrainingInputs)
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
    calibration = _with_forward_test(candidate, calibration, spec, inputs)
    candidate = _stage_bundle(candidate, fitted, calibration, spec, inputs)
    held = calibration.summary.held
    metrics = runs.threshold_metrics(calibration.threshold)
    metrics["calibration/rows_held_back"] = float(held.rows if held else 0)
    runs.log_metrics(connect(here), candidate.run_id, metrics)
    return to_json(candidate)


def _with_forward_test(
    candidate: Candidate, calibration: Calibration, spec: DetectorSpec, inputs: TrainingInputs
) -> Calibration:
    """A young version with what its first days say of its last ones; others as they are.

    It costs a second fit, so that only a provisional one pays for it.
    """
    needed = spec.gate.minimum_calibration_rows
    if inputs.start is not None or not is_provisional(calibration.threshold, needed=needed):
        return calibration
    from pipeline.evaluation.forward_test import forward_test  # noqa: PLC0415 - torch, as above

    blocks = Blocks(*(block_of(candidate, role) for role in ("train", "calibration", "test")))
    found = forward_test(blocks, spec)
    return replace(calibration, summary=replace(calibration.summary, forward=found))


def block_of(candidate: Candidate, role: Role) -> Block:
    """One staged block of `window`."""
    return Block(role, staged.staged_table(candidate, _path(role)))


def confirmed_incidents_of(candidate: Candidate) -> pd.DataFrame:
    """Other days with confirmed incidents, as `window` staged them; may be empty."""
    return staged.staged_table(candidate, _path(CONFIRMED))


def open_case_rows_of(candidate: Candidate) -> pd.DataFrame:
    """The rows of open cases in the training window, as they were measured; may be empty."""
    return staged.staged_table(candidate, _path(OPEN_CASES))


def open_shift_spans_of(candidate: Candidate) -> tuple[CaseSpan, ...]:
    """Which of the rows of open cases belong to a shift that nobody has answered."""
    return tuple(
        from_json(CaseSpan, span) for span in staged.staged_json(candidate, _OPEN_SHIFTS)["spans"]
    )


def described(detector: str, inputs: TrainingInputs) -> str:
    """The text about a candidate for the description of its run."""
    manifest, start = inputs.window, inputs.start
    return (
        f"Candidate of `{detector}`, trained on {manifest.first_day} to "
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


def _model_of(inputs: TrainingInputs, spec: DetectorSpec) -> Model:
    """The model section, with the fine-tuning's settings where there is one."""
    if inputs.start is None:
        return spec.model
    return tuned(spec.model, spec.fine_tuning)


def _warm_start_of(
    candidate: Candidate, inputs: TrainingInputs, spec: DetectorSpec
) -> WarmStart | None:
    if inputs.start is None:
        return None
    with staged.pulled(candidate, staged.START) as folder:
        network = load_fitted(folder)
    older = Block("train", staged.staged_table(candidate, _path(OLDER)))
    return WarmStart(network, older, spec.fine_tuning.replay_share)


def _stage_bundle(
    candidate: Candidate,
    fitted: FittedNetwork,
    calibration: Calibration,
    spec: DetectorSpec,
    inputs: TrainingInputs,
) -> Candidate:
    data = to_json(inputs.window) | day_roles(spec)
    provenance = Provenance(data, code_version(), lock_hash(), inputs.start)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch)
        write_bundle(fitted, calibration, bundle, name=candidate.detector, provenance=provenance)
        return staged.stage_folder(candidate, staged.BUNDLE, bundle)


def _opened(
    here: Deployment,
    candidate: Candidate,
    spec: DetectorSpec,
    inputs: TrainingInputs,
    fitted: FittedNetwork,
    run: str,
) -> Candidate:
    """The candidate with its MLflow run, which records the fit."""
    client, manifest, facts = connect(here), inputs.window, fitted.facts
    opened = open_run(
        here,
        candidate,
        described(candidate.detector, inputs),
        _parameters(spec, inputs),
        {
            "train/rows": float(facts.rows_train),
            "train/rows_held_back": float(facts.held.rows if facts.held else 0),
            "train/rows_validation": float(facts.rows_validation),
            "train/best_step": float(facts.best_step),
            **{f"train/{name}": value for name, value in facts.measured.items()},
        },
        tags=runs.job_tags(candidate.detector, run),
    )
    losses = {
        "loss/train": [(check.step, check.train) for check in facts.history],
        "loss/validation": [(check.step, check.validation) for check in facts.history],
    }
    for name, history in losses.items():
        runs.log_history(client, opened.run_id, name, history)
    runs.log_dataset(
        client,
        opened.run_id,
        name=f"{candidate.detector}.telemetry",
        uri=manifest.table,
        table_version=manifest.table_version,
        rows=manifest.normal_rows,
    )
    return opened


def _parameters(spec: DetectorSpec, inputs: TrainingInputs) -> dict[str, object]:
    manifest, start = inputs.window, inputs.start
    sections = {
        "model": _model_of(inputs, spec),
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
        "data.replaced_cells": manifest.replaced.cells if manifest.replaced else 0,
        "data.table_version": manifest.table_version,
        "data.labels": manifest.labels,
        "data.newest_label": manifest.newest_label,
    }
