"""Tasks `evaluate` and `drift`: measurements for the gate and for a reviewer."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from pipeline import lineage
from pipeline.config import DetectorSpec
from pipeline.data.split import rows_for
from pipeline.detector.bundle.bundle import Bundle, load_bundle
from pipeline.drift import DriftVerdict, judge_drift
from pipeline.drift.observed import reference_sample, sample_of
from pipeline.evaluation.injection import at_largest, recall
from pipeline.evaluation.metrics import EvaluatedRows, Evaluation
from pipeline.evaluation.partial_rate import partial_rates
from pipeline.evaluation.tryout import Tryout, judge, try_out
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import runs
from pipeline.registry.connection import connect
from pipeline.report import figures
from pipeline.report.drift_report import write_drift_report
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate
from pipeline.steps.fitting import block_of, confirmed_incidents_of
from pipeline.steps.origin import TrainingInputs, origin_of
from pipeline.store.drift import record_candidate_drift


@lineage.stage("train")
def evaluate(here: Deployment, payload: Payload[Candidate]) -> Payload[Candidate]:
    """Evaluate the bundle on the test block; figures and metrics go to the MLflow run."""
    candidate = from_json(Candidate, payload)
    spec, _ = origin_of(candidate, TrainingInputs)
    frame = rows_for(block_of(candidate, "test"), "test")
    with (
        staged.pulled(candidate, staged.BUNDLE) as folder,
        tempfile.TemporaryDirectory() as scratch,
    ):
        bundle = load_bundle(folder)
        rows = judge(bundle, frame, spec.columns)
        tried = try_out(bundle, frame, spec.columns, rows, confirmed_incidents_of(candidate))
        tried = replace(tried, partial=partial_rates(bundle, frame, spec))
        pictures = _pictures(bundle, tried, spec, rows)
        for name, picture in pictures.items():
            (Path(scratch) / name).write_bytes(picture)
        (Path(scratch) / "tryout.json").write_text(json.dumps(to_json(tried), indent=1))
        candidate = staged.stage_folder(candidate, staged.EVALUATION, Path(scratch))
        client = connect(here)
        runs.log_folder(client, candidate.run_id, Path(scratch), staged.EVALUATION)
        runs.log_metrics(client, candidate.run_id, _metrics(tried))
    return to_json(candidate)


@lineage.stage("train")
def drift(here: Deployment, payload: Payload[Candidate]) -> Payload[Candidate]:
    """Compare the test days with the reference rows of the bundle."""
    candidate = from_json(Candidate, payload)
    spec, inputs = origin_of(candidate, TrainingInputs)
    frame = rows_for(block_of(candidate, "test"), "test")
    evaluation = tryout_of(candidate).evaluation
    with (
        staged.pulled(candidate, staged.BUNDLE) as folder,
        tempfile.TemporaryDirectory() as scratch,
    ):
        bundle = load_bundle(folder)
        reference, current = reference_sample(bundle), sample_of(bundle, frame, spec.columns)
        verdict = judge_drift(
            reference, current, columns=spec.columns, limits=spec.drift, rate=evaluation.rate
        )
        write_drift_report(
            reference,
            current,
            verdict,
            columns=spec.columns,
            limits=spec.drift,
            path=Path(scratch) / "drift_report.html",
        )
        (Path(scratch) / "drift_distances.png").write_bytes(
            figures.drift_distances(verdict, spec.drift)
        )
        (Path(scratch) / "verdict.json").write_text(json.dumps(to_json(verdict), indent=1))
        candidate = staged.stage_folder(candidate, staged.DRIFT, Path(scratch))
        record_candidate_drift(here, spec.name, candidate.name, inputs.window.last_day, verdict)
        client = connect(here)
        runs.log_folder(client, candidate.run_id, Path(scratch), staged.DRIFT)
        runs.log_metrics(
            client,
            candidate.run_id,
            {runs.metric_of("drift", each.feature): each.distance for each in verdict.results},
        )
    return to_json(candidate)


def tryout_of(candidate: Candidate) -> Tryout:
    """The result of `evaluate`."""
    return from_json(Tryout, staged.staged_json(candidate, f"{staged.EVALUATION}/tryout.json"))


def drift_of(candidate: Candidate) -> DriftVerdict:
    """The verdict of `drift`."""
    return from_json(DriftVerdict, staged.staged_json(candidate, f"{staged.DRIFT}/verdict.json"))


def _pictures(
    bundle: Bundle, tried: Tryout, spec: DetectorSpec, rows: EvaluatedRows
) -> dict[str, bytes]:
    threshold = bundle.description.threshold
    history = bundle.description.network.history
    pictures = {
        "score_distribution.png": figures.score_distribution(rows, threshold),
        "score_timeline.png": figures.score_timeline(rows, threshold),
        "training_history.png": figures.training_history(
            [(check.step, check.train) for check in history],
            [(check.step, check.validation) for check in history],
        ),
        "fault_recall.png": figures.fault_recall(
            tried.faults, share=spec.gate.minimum_fault_recall
        ),
    }
    curve = figures.precision_recall(rows, threshold)
    return pictures | ({"precision_recall.png": curve} if curve else {})


def _metrics(tried: Tryout) -> dict[str, float]:
    metrics = {
        "test/rows": float(tried.evaluation.rows),
        "test/flags_per_day": tried.evaluation.flags_per_day,
        "test/alerts_per_day": tried.evaluation.alerts_per_day,
        "bundle/latency_ms": tried.latency_ms,
        "bundle/mb": tried.bundle_mb,
    }
    health = asdict(tried.diagnosis)
    metrics |= {f"health/{name}": value for name, value in health.items() if value is not None}
    metrics |= _rate(tried.evaluation) | _detection(tried.evaluation)
    if tried.partial is not None:
        metrics["test/partial_false_positive_rate"] = tried.partial.mean
        metrics["test/partial_false_positive_rate_worst"] = tried.partial.worst.rate
    for kind, by_size in recall(tried.faults).items():
        named = f"faults/{kind.replace(' ', '_')}"
        metrics[named] = at_largest(tried.faults)[kind]
        metrics |= {f"{named}/{size:g}": share for size, share in by_size.items()}
    return metrics


def _rate(evaluation: Evaluation) -> dict[str, float]:
    rate = evaluation.rate
    if rate is None:
        return {}
    return {
        "test/false_positive_rate": rate.rate,
        "test/false_positive_rate_low": rate.interval[0],
        "test/false_positive_rate_high": rate.interval[1],
        "test/band_low": rate.band[0],
        "test/band_high": rate.band[1],
    }


def _detection(evaluation: Evaluation) -> dict[str, float]:
    found = evaluation.detection
    if found is None:
        return {}
    known = {
        "test/roc_auc": found.roc_auc,
        "test/average_precision": found.average_precision,
        "test/precision": found.precision,
        "test/recall": found.recall,
        "test/incidents": float(len(found.incidents)),
        "test/incidents_hit": float(found.hit),
    }
    return {name: value for name, value in known.items() if value is not None}
