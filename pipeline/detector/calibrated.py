"""A calibration as plain data, and the rows of it that a bundle keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.detector.golden import MOST_ROWS as MOST_GOLDEN
from pipeline.detector.golden import Golden, golden_columns, golden_of, golden_table
from pipeline.detector.kept_rows import read_rows
from pipeline.detector.postprocessing import UNCHANGED, ScorePostprocessing
from pipeline.detector.reference import MOST_ROWS as MOST_REFERENCE
from pipeline.detector.reference import (
    Reference,
    reference_columns,
    reference_of,
    reference_scores,
    reference_table,
)
from pipeline.detector.schema import Schema
from pipeline.detector.threshold_estimate import ThresholdEstimate

GOLDEN_FILE = "golden.parquet"
REFERENCE_FILE = "reference.parquet"
TRAINED_FILE = "trained.parquet"


@dataclass(frozen=True)
class CalibrationSummary:
    """The calibration scores in a few numbers.

    Attributes:
        rows: windows scored.
        autocorrelation: of the logarithm of a score with the next one; 0 without time.
        quantiles: of the scores, by level.
        feature_error: usual error of each feature: what attribution compares with.
        drawn_between: least and greatest score that could have become the line; None where that is
            not known: of a line that was redrawn, and in bundles of earlier releases.
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
        threshold: the line.
        summary: the scores it was drawn from.
        reference: rows it was drawn from.
        golden: rows and the scores that the graph must give them.
        finish: what is done to the graph's scores before they are held against the line.
        trained: of a line that was redrawn: the reference of the training; None of the first.
    """

    threshold: ThresholdEstimate
    summary: CalibrationSummary
    reference: Reference
    golden: Golden
    finish: ScorePostprocessing = UNCHANGED
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
        BundleError: they are absent, damaged, more than 256 or of another detector.
    """
    path = folder / GOLDEN_FILE
    return golden_of(read_rows(path, golden_columns(schema), most=MOST_GOLDEN))


def read_reference(folder: Path, schema: Schema) -> Reference:
    """The reference rows of a bundle or a calibration.

    Raises:
        BundleError: they are absent, damaged, more than 5,000 or of another detector.
    """
    return reference_of(_reference(folder / REFERENCE_FILE, schema), schema)


def read_trained(folder: Path, schema: Schema) -> Reference:
    """The reference rows of the training, whether the line was redrawn since or not.

    Raises:
        BundleError: they are absent, damaged, more than 5,000 or of another detector.
    """
    path = folder / TRAINED_FILE
    if not path.exists():
        return read_reference(folder, schema)
    return reference_of(_reference(path, schema), schema)


def read_scores(folder: Path, schema: Schema, name: str) -> NDArray[np.float32]:
    """The scores of the reference in the file `name`, without what tells when and where.

    Raises:
        BundleError: they are absent, damaged, more than 5,000 or of another detector.
    """
    return reference_scores(_reference(folder / name, schema), schema)


def _reference(path: Path, schema: Schema) -> pa.Table:
    return read_rows(path, reference_columns(schema), most=MOST_REFERENCE)
