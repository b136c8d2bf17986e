"""A calibration as plain data: what the calibrate task hands on, and what a bundle holds of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.detector.drawn import DrawnThreshold
from pipeline.detector.fitted import read_part
from pipeline.detector.golden import Golden, golden_of, golden_table
from pipeline.detector.reference import Reference, reference_of, reference_table
from pipeline.detector.schema import Schema
from pipeline.errors import BundleError
from pipeline.records import from_json, to_json

GOLDEN_FILE = "golden.parquet"
REFERENCE_FILE = "reference.parquet"
THRESHOLD_FILE = "calibration.json"


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
    """A threshold, the evidence for it, and the rows that a bundle keeps."""

    threshold: DrawnThreshold
    summary: CalibrationSummary
    reference: Reference
    golden: Golden


@dataclass(frozen=True)
class _Numbers:
    threshold: DrawnThreshold
    summary: CalibrationSummary


def save_calibration(calibration: Calibration, schema: Schema, folder: Path) -> None:
    """Write `calibration.json` and the rows into `folder`, replacing older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = to_json(_Numbers(calibration.threshold, calibration.summary))
    text = json.dumps(numbers, indent=1, sort_keys=True) + "\n"
    (folder / THRESHOLD_FILE).write_text(text, encoding="utf-8")
    write_rows(calibration, schema, folder)


def load_calibration(folder: Path, schema: Schema) -> Calibration:
    """What `save_calibration` wrote.

    Raises:
        BundleError: a file is absent or damaged.
    """
    numbers = from_json(_Numbers, json.loads(read_part(folder, THRESHOLD_FILE)))
    return Calibration(
        numbers.threshold, numbers.summary, read_reference(folder, schema), read_golden(folder)
    )


def write_rows(calibration: Calibration, schema: Schema, folder: Path) -> None:
    """Write the reference and the golden rows into `folder`."""
    pq.write_table(reference_table(calibration.reference, schema), folder / REFERENCE_FILE)
    pq.write_table(golden_table(calibration.golden, schema), folder / GOLDEN_FILE)


def read_golden(folder: Path) -> Golden:
    """The golden rows of a bundle or a calibration."""
    return golden_of(_table(folder / GOLDEN_FILE))


def read_reference(folder: Path, schema: Schema) -> Reference:
    """The reference rows of a bundle or a calibration."""
    return reference_of(_table(folder / REFERENCE_FILE), schema)


def _table(path: Path) -> pq.pa.Table:
    try:
        return pq.ParquetFile(path).read()  # read_table would import pandas
    except (OSError, pq.pa.ArrowInvalid) as error:
        msg = f"{path}: cannot be read as Parquet ({error}); give the folder of a whole calibration"
        raise BundleError(msg) from error
