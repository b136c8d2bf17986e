"""The MLflow run of a candidate, found again by its candidate id, so that a rerun replaces it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from pipeline.dag_ids import is_from_command_line
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.provenance import code_version

log = structlog.get_logger()

_NO_SIGN_OF_A_METRIC = re.compile(r"[^\w.\- :]")
_LONGEST_NAME = 200  # MLflow allows 250 characters, family and digest included

CANDIDATE_TAG = "plimsoll.candidate"
_DESCRIPTION = "mlflow.note.content"
_ABOUT = "Candidates of the detector `{}`: one run each, from training to the gate's verdict."


def find_or_start(
    client: MlflowClient, *, detector: str, candidate: str, tags: Mapping[str, str]
) -> Run:
    """The run of `candidate`: the one that exists, or a new one in the detector's experiment."""
    experiment_id = _experiment(client, detector)
    found = client.search_runs(
        [experiment_id],
        f"tags.`{CANDIDATE_TAG}` = '{candidate}'",
        run_view_type=ViewType.ACTIVE_ONLY,
        max_results=1,
    )
    if found:
        run = found[0]
        client.update_run(run.info.run_id, status="RUNNING")
        client.log_batch(run.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        return run
    return client.create_run(
        experiment_id, run_name=candidate, tags={**tags, CANDIDATE_TAG: candidate}
    )


def job_tags(detector: str, job: str) -> dict[str, str]:
    """Tags for the origin of a run; `job` is the DAG run, or that of the command line."""
    by_hand = is_from_command_line(job)
    return {
        "detector": detector,
        "command_line.run" if by_hand else "airflow.run": job,
        "code_version": code_version(),
        # For MLflow's own columns "Source" and "Created by".
        "mlflow.source.type": "JOB",
        "mlflow.source.name": job,
        "mlflow.user": "command line" if by_hand else "airflow",
    }


def threshold_metrics(threshold: ThresholdEstimate) -> dict[str, float]:
    """A threshold as metrics; an end of its interval that the data cannot bound is left out."""
    low, high = threshold.interval
    metrics = {
        "threshold": threshold.value,
        "calibration/rows": float(threshold.n),
        "calibration/rows_effective": threshold.n_effective,
        "calibration/rate_low": threshold.rate_interval[0],
        "calibration/rate_high": threshold.rate_interval[1],
    }
    metrics |= {"threshold_low": low} if low is not None else {}
    return metrics | ({"threshold_high": high} if high is not None else {})


def log_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, object]) -> None:
    """Log parameters; a rerun logs the same values and changes nothing."""
    client.log_batch(
        run_id, params=[Param(key, str(value)[:6000]) for key, value in parameters.items()]
    )


def metric_of(family: str, feature: str) -> str:
    """The metric of one feature, as `drift/Wind speed _m_s_-5f0c1d2e`.

    MLflow allows few characters in a name, and a slash in the feature would be a level in the
    metric. A changed name ends in a digest, so that no two features share a metric.
    """
    plain = _NO_SIGN_OF_A_METRIC.sub("_", feature)[:_LONGEST_NAME]
    if plain == feature and feature not in (".", ".."):
        return f"{family}/{feature}"
    digest = hashlib.sha256(feature.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{family}/{plain}-{digest}"


def log_metrics(client: MlflowClient, run_id: str, metrics: Mapping[str, float]) -> None:
    """Log one value a metric, at step 0."""
    now_ms = int(time.time() * 1000)
    _log(client, run_id, [Metric(k, v, now_ms, 0) for k, v in metrics.items()])


def log_history(
    client: MlflowClient, run_id: str, name: str, history: Sequence[tuple[int, float]]
) -> None:
    """Log a curve: (step, value) pairs of one metric."""
    now_ms = int(time.time() * 1000)
    _log(client, run_id, [Metric(name, value, now_ms, step) for step, value in history])


def _log(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    for first in range(0, len(metrics), 1000):  # MLflow accepts at most 1,000 a call
        client.log_batch(run_id, metrics=metrics[first : first + 1000])


def log_dataset(
    client: MlflowClient, run_id: str, *, name: str, uri: str, table_version: int, rows: int
) -> None:
    """Record which version of which table the candidate was trained on."""
    dataset = Dataset(
        name=name,
        digest=f"v{table_version}",
        source_type="delta",
        source=json.dumps({"uri": uri, "version": table_version}),
        profile=json.dumps({"num_rows": rows}),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])


def describe(client: MlflowClient, run_id: str, text: str) -> None:
    """Set the Markdown at the top of the run's page."""
    client.set_tag(run_id, _DESCRIPTION, text)


def log_page(client: MlflowClient, run_id: str, name: str, text: str) -> None:
    """Log a text at the top level of the run's artifacts."""
    client.log_text(run_id, text, name)


def log_folder(client: MlflowClient, run_id: str, folder: Path, artifact_path: str) -> None:
    """Log every file of a local folder."""
    client.log_artifacts(run_id, str(folder), artifact_path)


def end(client: MlflowClient, run_id: str, *, passed: bool) -> None:
    """Close the run. A rejected candidate is a finished run, not a failed one."""
    client.set_tag(run_id, "plimsoll.gate", "passed" if passed else "rejected")
    client.set_terminated(run_id, "FINISHED")


def experiment_of(client: MlflowClient, detector: str) -> str | None:
    """The id of the detector's experiment; None if it has none yet."""
    existing = client.get_experiment_by_name(detector)
    return None if existing is None else str(existing.experiment_id)


def _experiment(client: MlflowClient, detector: str) -> str:
    existing = client.get_experiment_by_name(detector)
    if existing is not None:
        if existing.lifecycle_stage == "deleted":
            # One click in the UI deletes it, and MLflow then accepts no run for it.
            client.restore_experiment(existing.experiment_id)
            log.warning("deleted_experiment_restored", detector=detector)
        return str(existing.experiment_id)
    try:
        return str(client.create_experiment(detector, tags={_DESCRIPTION: _ABOUT.format(detector)}))
    except MlflowException:
        # Another task created it between the check and the call.
        created = client.get_experiment_by_name(detector)
        if created is None:
            raise
        return str(created.experiment_id)
