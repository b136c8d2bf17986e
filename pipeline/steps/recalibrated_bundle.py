"""The bundle of a recalibration: the parent's network and golden rows, everything else new.

Smoothing and the factors of the contexts stay the parent's: they make the score, and a score that
any version with the same weights has given must stay comparable. Only the threshold changes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.timeline import autocorrelation, subset
from pipeline.detector.bundle.bundle import Bundle, fitted_of, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.lineage import Lineage
from pipeline.detector.calibration.calibrate import score_quantiles
from pipeline.detector.calibration.calibrated import (
    Calibration,
    CalibrationSummary,
    read_golden,
)
from pipeline.detector.calibration.kept_rows import Reference, sample_reference
from pipeline.detector.inputs.frames import feature_values
from pipeline.errors import DataError
from pipeline.provenance import code_version, lock_hash
from pipeline.recalibration import Recalibrated
from pipeline.records import to_json
from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate
from pipeline.steps.origin import RecalibrationInputs, RecalibrationWindow, origin_of
from pipeline.steps.scored_window import staged_rows, timeline_of_rows
from pipeline.store.telemetry import read_telemetry

_LEAST = float(np.finfo(np.float32).tiny)


def write_recalibrated(
    here: Deployment,
    candidate: Candidate,
    parent: Bundle,
    result: Recalibrated,
    lineage: Lineage,
    folder: Path,
) -> str:
    """Write the bundle into `folder`; return its digest.

    The usual error of each feature stays as the training measured it: it belongs to the weights,
    and the features blamed for an incident should not change from one month to the next. So does
    what its first days said of its last ones.
    """
    spec, inputs = origin_of(candidate, RecalibrationInputs)
    rows = staged_rows(candidate)
    kept = result.weight > 0
    used, timeline = rows[kept], subset(timeline_of_rows(rows, spec), kept)
    score = used["score"].to_numpy(np.float64)
    reference = _reference(here, used, parent, spec, inputs.window)
    answered = renews_acceptance(inputs, result)
    calibration = Calibration(
        threshold=result.threshold,
        summary=CalibrationSummary(
            rows=len(used),
            autocorrelation=autocorrelation(np.log(np.maximum(score, _LEAST)), timeline),
            quantiles=score_quantiles(score),
            feature_error=parent.description.calibration.feature_error,
            forward=parent.description.calibration.forward,
        ),
        reference=reference,
        golden=read_golden(parent.folder, parent.schema),
        postprocessing=parent.postprocessing,
        trained=parent.trained_reference(),
        accepted=reference if answered else parent.answered_reference(),
    )
    return write_bundle(
        fitted_of(parent),
        calibration,
        folder,
        name=candidate.detector,
        provenance=Provenance(to_json(inputs.window), code_version(), lock_hash()),
        lineage=lineage,
    )


def renews_acceptance(inputs: RecalibrationInputs, result: Recalibrated) -> bool:
    """Whether the state of these rows is the accepted one from now on, because a person said so."""
    return bool(inputs.growth_accepted or (inputs.acceptance and result.stops))


def _reference(
    here: Deployment,
    used: pd.DataFrame,
    parent: Bundle,
    spec: DetectorSpec,
    window: RecalibrationWindow,
) -> Reference:
    """A sample of the rows that the threshold was estimated from, with their features.

    Raises:
        DataError: a row of the window is no longer in the telemetry.
    """
    key = {"timestamp": spec.columns.timestamp}
    key |= {"entity": spec.columns.entity} if spec.columns.entity else {}
    telemetry = read_telemetry(
        here,
        spec.name,
        window.first_day,
        window.last_day,
        version=window.telemetry_version,
    )
    wanted = used[[*key, "score"]].rename(columns={**key, "score": "score of the row"})
    found = wanted.merge(telemetry, on=list(key.values()), how="inner")
    if len(found) != len(used):
        msg = (
            f"{len(used) - len(found):,} of {len(used):,} scored rows of {spec.name} are not in "
            "telemetry; score these days again with the score DAG."
        )
        raise DataError(msg)
    score = found["score of the row"].to_numpy(np.float32)
    named = found.rename(columns={value: name for name, value in key.items()})
    return sample_reference(
        feature_values(found, parent.schema), score, timeline_of_rows(named, spec)
    )
