"""A calibration as plain data, and the rows of it that a bundle keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.detector.drawn import DrawnThreshold
from pipeline.detector.finishing import UNCHANGED, Finish
from pipeline.detector.golden import Golden, golden_of, golden_table
from pipeline.detector.reference import Reference, reference_of, reference_table
from pipeline.detector.schema import Schema
from pipeline.errors import BundleError

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
    """

    rows: int
    autocorrelation: float
    quantiles: dict[str, float]
    feature_error: tuple[float, ...]


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

    threshold: DrawnThreshold
    summary: CalibrationSummary
    reference: Reference
    golden: Golden
    finish: Finish = UNCHANGED
    trained: Reference | None = None


def write_rows(calibration: Calibration, schema: Schema, folder: Path) -> None:
    """Write the reference and the golden rows into `folder`."""
    pq.write_table(reference_table(calibration.reference, schema), folder / REFERENCE_FILE)
    pq.write_table(golden_table(calibration.golden, schema), folder / GOLDEN_FILE)
    if calibration.trained is not None:
        pq.write_table(reference_table(calibration.trained, schema), folder / TRAINED_FILE)


def read_golden(folder: Path) -> Golden:
    """The golden rows of a bundle or a calibration."""
    return golden_of(_table(folder / GOLDEN_FILE))


def read_reference(folder: Path, schema: Schema) -> Reference:
    """The reference rows of a bundle or a calibration."""
    return reference_of(_table(folder / REFERENCE_FILE), schema)


def read_trained(folder: Path, schema: Schema) -> Reference:
    """The reference rows of the training, whether the line was redrawn since or not."""
    path = folder / TRAINED_FILE
    return reference_of(_table(path), schema) if path.exists() else read_reference(folder, schema)


def _table(path: Path) -> pq.pa.Table:
    try:
        return pq.ParquetFile(path).read()  # read_table would import pandas
    except (OSError, pq.pa.ArrowInvalid) as error:
        msg = f"{path}: cannot be read as Parquet ({error}); give the folder of a whole calibration"
        raise BundleError(msg) from error
