"""A calibration as plain data, with the rows that a bundle keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.detector.calibration.golden import MOST_ROWS as MOST_GOLDEN
from pipeline.detector.calibration.golden import Golden, golden_columns, golden_of, golden_table
from pipeline.detector.calibration.kept_rows import read_rows
from pipeline.detector.calibration.postprocessing import UNCHANGED, ScorePostprocessing
from pipeline.detector.calibration.reference import MOST_ROWS as MOST_REFERENCE
from pipeline.detector.calibration.reference import (
    Reference,
    reference_columns,
    reference_of,
    reference_scores,
    reference_table,
)
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.thresholds.estimate import ThresholdEstimate

GOLDEN_FILE = "golden.parquet"
REFERENCE_FILE = "reference.parquet"
TRAINED_FILE = "trained.parquet"


@dataclass(frozen=True)
class CalibrationSummary:
    """Summary statistics of the calibration scores.

    Attributes:
        rows: number of windows scored.
        autocorrelation: of the logarithm of a score with the next one; 0 without time.
        quantiles: of the scores, by level.
        feature_error: usual error of each feature, which attribution compares with.
        drawn_between: least and greatest score that could have become the threshold; None where
            that is unknown: after a recalibration, and in bundles of earlier releases.
    """

    rows: int
    autocorrelation: float
    quantiles: dict[str, float]
    feature_error: tuple[float, ...]
    drawn_between: tuple[float, float] | None = None


@dataclass(frozen=True)
class Calibration:
    """A threshold, the evidence for it, and the rows that a bundle keeps.

    Attributes:
        threshold: the estimate.
        summary: the scores that it was estimated from.
        reference: rows that it was estimated from.
        golden: rows and the scores that the graph must give them.
        postprocessing: applied to the graph's scores before they are compared with the threshold.
        trained: the reference of the training, after a recalibration; None before the first.
    """

    threshold: ThresholdEstimate
    summary: CalibrationSummary
    reference: Reference
    golden: Golden
    postprocessing: ScorePostprocessing = UNCHANGED
    trained: Reference | None = None


def write_rows(calibration: Calibration, schema: Schema, folder: Path) -> None:
    """Write the reference and the golden rows into `folder`."""
    pq.write_table(reference_table(calibration.reference, schema), folder / REFERENCE_FILE)
    pq.write_table(golden_table(calibration.golden, schema), folder / GOLDEN_FILE)
    if calibration.trained is not None:
        pq.write_table(reference_table(calibration.trained, schema), folder / TRAINED_FILE)


def read_golden(folder: Path, schema: Schema) -> Golden:
    """The golden rows of a bundle or a calibration.

    Raises:
        BundleError: they are missing, damaged, more than 256 or of another detector.
    """
    path = folder / GOLDEN_FILE
    return golden_of(read_rows(path, golden_columns(schema), most=MOST_GOLDEN))


def read_reference(folder: Path, schema: Schema) -> Reference:
    """The reference rows of a bundle or a calibration.

    Raises:
        BundleError: they are missing, damaged, more than 5,000 or of another detector.
    """
    return reference_of(_reference(folder / REFERENCE_FILE, schema), schema)


def read_trained(folder: Path, schema: Schema) -> Reference:
    """The reference rows of the training, whether or not the bundle was recalibrated since.

    Raises:
        BundleError: they are missing, damaged, more than 5,000 or of another detector.
    """
    path = folder / TRAINED_FILE
    if not path.exists():
        return read_reference(folder, schema)
    return reference_of(_reference(path, schema), schema)


def read_scores(folder: Path, schema: Schema, name: str) -> NDArray[np.float32]:
    """The scores of the reference in the file `name`, without its times and entities.

    Raises:
        BundleError: they are missing, damaged, more than 5,000 or of another detector.
    """
    return reference_scores(_reference(folder / name, schema), schema)


def _reference(path: Path, schema: Schema) -> pa.Table:
    return read_rows(path, reference_columns(schema), most=MOST_REFERENCE)
