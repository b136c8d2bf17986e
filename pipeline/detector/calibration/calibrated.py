"""A calibration as plain data, with the rows that a bundle keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.data.forward_test import ForwardTest
from pipeline.data.held_back import HeldBack
from pipeline.detector.calibration.kept_rows import (
    MOST_GOLDEN,
    MOST_REFERENCE,
    Golden,
    Reference,
    golden_columns,
    golden_of,
    golden_table,
    reference_columns,
    reference_of,
    reference_scores,
    reference_table,
)
from pipeline.detector.calibration.postprocessing import UNCHANGED, ScorePostprocessing
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import BundleError

GOLDEN_FILE = "golden.parquet"
REFERENCE_FILE = "reference.parquet"
TRAINED_FILE = "trained.parquet"
ACCEPTED_FILE = "accepted.parquet"

MOST_BYTES = 2**30
"""Size of the unpacked rows: a small file may claim any size."""

_FIX = "The file is damaged, was changed, or belongs to another detector: fetch the bundle again."


@dataclass(frozen=True)
class CalibrationSummary:
    """Summary statistics of the calibration scores.

    Attributes:
        rows: number of windows that the threshold was estimated from.
        autocorrelation: of the logarithm of a score with the next one; 0 without time.
        quantiles: of the scores, by level.
        feature_error: usual error of each feature, which attribution compares with.
        drawn_between: least and greatest score that could have become the threshold; None where
            that is unknown: after a recalibration, and in bundles of earlier releases.
        held: rows of sustained episodes, which were left out; None where none were looked for: rows
            without time, a threshold from labels, a recalibration (whose own record names them), or
            a bundle of an earlier release.
        forward: how a version of the days before does on the last days of the training; None where
            the threshold rests on enough rows, of a fine-tuning, or in an earlier release.
    """

    rows: int
    autocorrelation: float
    quantiles: dict[str, float]
    feature_error: tuple[float, ...]
    drawn_between: tuple[float, float] | None = None
    held: HeldBack | None = None
    forward: ForwardTest | None = None


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
        accepted: the reference of the last recalibration that a person accepted beyond its bounds;
            None: of none, so that the state of the training is the accepted one.
    """

    threshold: ThresholdEstimate
    summary: CalibrationSummary
    reference: Reference
    golden: Golden
    postprocessing: ScorePostprocessing = UNCHANGED
    trained: Reference | None = None
    accepted: Reference | None = None


def write_rows(calibration: Calibration, schema: Schema, folder: Path) -> None:
    """Write the reference and the golden rows into `folder`."""
    pq.write_table(reference_table(calibration.reference, schema), folder / REFERENCE_FILE)
    pq.write_table(golden_table(calibration.golden, schema), folder / GOLDEN_FILE)
    if calibration.trained is not None:
        pq.write_table(reference_table(calibration.trained, schema), folder / TRAINED_FILE)
    if calibration.accepted is not None:
        pq.write_table(reference_table(calibration.accepted, schema), folder / ACCEPTED_FILE)


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


def read_accepted(folder: Path, schema: Schema) -> Reference | None:
    """The reference rows of the last state that a person accepted; None where nobody has.

    Raises:
        BundleError: they are damaged, more than 5,000 or of another detector.
    """
    path = folder / ACCEPTED_FILE
    return reference_of(_reference(path, schema), schema) if path.exists() else None


def read_scores(folder: Path, schema: Schema, name: str) -> NDArray[np.float32]:
    """The scores of the reference in the file `name`, without its times and entities.

    Raises:
        BundleError: they are missing, damaged, more than 5,000 or of another detector.
    """
    return reference_scores(_reference(folder / name, schema), schema)


def _reference(path: Path, schema: Schema) -> pa.Table:
    return read_rows(path, reference_columns(schema), most=MOST_REFERENCE)


def read_rows(path: Path, columns: Mapping[str, pa.DataType], *, most: int) -> pa.Table:
    """The rows of `path`: from 1 to `most`, the named `columns` and no others, without nulls.

    Raises:
        BundleError: it cannot be read, or holds something else.
    """
    try:
        file = pq.ParquetFile(path)  # read_table would import pandas
        _refuse_other(path, file, columns, most)
        table = file.read()
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        msg = f"{path}: cannot be read as Parquet ({reason}). {_FIX}"
        raise BundleError(msg) from error
    for name in table.column_names:
        if nulls := table[name].null_count:
            msg = f"{path}: {nulls:,} of {len(table):,} values of {name[:80]!r} are null. {_FIX}"
            raise BundleError(msg)
    return table


def _refuse_other(
    path: Path, file: pq.ParquetFile, columns: Mapping[str, pa.DataType], most: int
) -> None:
    rows, held = file.metadata.num_rows, file.schema_arrow
    if not 1 <= rows <= most:
        msg = f"{path}: holds {rows:,} rows; from 1 to {most:,} are allowed. {_FIX}"
        raise BundleError(msg)
    if held.names != list(columns):
        at = next((n for n, m in zip(held.names, columns, strict=False) if n != m), "")
        msg = (
            f"{path}: has {len(held.names):,} columns, not {len(columns):,} "
            f"({', '.join(list(columns)[:5])[:200]}...); {at[:80]!r} is out of place. {_FIX}"
        )
        raise BundleError(msg)
    for name, kind in columns.items():
        if held.field(name).type != kind:
            msg = f"{path}: {name[:80]!r} holds {held.field(name).type}, not {kind}. {_FIX}"
            raise BundleError(msg)
    groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if size > MOST_BYTES:
        msg = f"{path}: unpacks to {size:,} bytes; at most {MOST_BYTES:,} are read. {_FIX}"
        raise BundleError(msg)
