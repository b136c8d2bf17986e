"""The bundle of a fitted network, in one call; the train DAG does the same in two tasks."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import DetectorSpec
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import Bundle, load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.models.fitted import FittedNetwork

NO_PROVENANCE = Provenance({}, "", "")
"""Of a bundle that nobody keeps."""


def calibrated_bundle(
    fitted: FittedNetwork,
    calibration: Block,
    spec: DetectorSpec,
    folder: Path,
    *,
    provenance: Provenance = NO_PROVENANCE,
) -> Bundle:
    """Estimate the threshold on the `calibration` block, write the bundle into `folder`, load it.

    Raises:
        SplitReuseError: the block is not for calibration.
        CalibrationError: as in `calibrate`.
        DataError: likewise.
    """
    made = calibrate(
        calibration,
        fitted.facts.schema,
        Graph(fitted.graph).score,
        spec.threshold,
        smoothing=spec.smoothing,
        contexts=spec.contexts,
    )
    write_bundle(fitted, made, folder, name=spec.name, provenance=provenance)
    return load_bundle(folder)
