"""What `fit` trains on: the rows and the schema of a Parquet file, with or without a spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.cli import parquet
from pipeline.config import DetectorSpec
from pipeline.config.columns import EVALUATION_PREFIX
from pipeline.data.derive import derive
from pipeline.data.split import normal_rows
from pipeline.detector.frames import feature_values, timeline_of
from pipeline.detector.inputs import named
from pipeline.detector.schema import UNKNOWN_UNIT, Schema, schema_of
from pipeline.errors import DataError, PlimsollError

_TIME = "timestamp"
_FEWEST_TIMES = 20
"""Fewer distinct times than this hold no stretch of time that could be set aside."""


@dataclass(frozen=True)
class TrainingData:
    """Normal rows to fit on.

    Attributes:
        frame: the rows, checked: every feature is there and finite.
        schema: what the detector takes.
        remarks: what a person should know, one sentence each: what was left out and why.
    """

    frame: pd.DataFrame
    schema: Schema
    remarks: tuple[str, ...]


def by_spec(path: Path, spec: DetectorSpec) -> TrainingData:
    """The rows of `path` as the detector file sees them, without those known to be abnormal.

    Raises:
        DataError: a column is absent, or a feature is not finite; the message names the file.
    """
    frame = parquet.read(path).to_pandas()
    schema = schema_of(spec.columns, spec.window)
    remarks: list[str] = []
    try:
        if not set(schema.features) <= set(frame.columns):
            frame = derive(frame, spec.columns)
        normal = normal_rows(frame, spec.columns)
        if not normal.all():
            reasons = named(sorted(spec.columns.marks))
            remarks.append(f"{int((~normal).sum()):,} rows left out, known abnormal by {reasons}")
        return _checked(frame.loc[normal].reset_index(drop=True), schema, remarks)
    except DataError as error:
        raise _in_file(path, error) from error


def by_numbers(path: Path, schema: Schema | None = None) -> TrainingData:
    """The rows of `path` with every numeric column as a feature, or with those of `schema`.

    A datetime column `timestamp` is the time. Booleans are left out (they are labels more often
    than measurements), and so is what begins with `eval_`.

    Raises:
        DataError: no numeric column, or one that is not finite; the message names the file.
    """
    table = parquet.read(path)
    try:
        if schema is not None:
            return _checked(table.to_pandas(), schema, [])
        features, remarks = _features(table)
        time = _TIME if _has_time(table) else None
        if time and len(table[time].unique()) < _FEWEST_TIMES:
            remarks.append(f"{_TIME} hardly changes: the rows are taken as having no time")
            time = None
        frame = table.select(([time] if time else []) + features).to_pandas()
        found = Schema(
            context=(),
            features=tuple(features),
            units=(UNKNOWN_UNIT,) * len(features),
            window=1,
            timestamp=time,
            entity=None,
            cadence_s=_cadence(frame[time]) if time else None,
            source_columns=None,
        )
        return _checked(frame, found, remarks)
    except DataError as error:
        raise _in_file(path, error) from error


def _features(table: pa.Table) -> tuple[list[str], list[str]]:
    """Names of the feature columns, and a remark on every other one."""
    features: list[str] = []
    ignored: list[str] = []
    evaluation: list[str] = []
    for column in table.schema:
        if column.name.startswith(EVALUATION_PREFIX):
            evaluation.append(column.name)
        elif parquet.is_number(column.type) and column.name != _TIME:
            features.append(column.name)
        elif not (column.name == _TIME and _has_time(table)):
            ignored.append(f"{column.name} ({column.type})")
    return features, _remarks(table, features, ignored, evaluation)


def _remarks(
    table: pa.Table, features: list[str], ignored: list[str], evaluation: list[str]
) -> list[str]:
    remarks = []
    if ignored:
        remarks.append(f"ignored, not numeric: {', '.join(ignored)}")
    if evaluation:
        remarks.append(f"ignored, only for judging: {', '.join(evaluation)}")
    if _TIME in table.column_names and not _has_time(table):
        remarks.append(
            f"{_TIME} is {table.schema.field(_TIME).type}, not a datetime: the rows are taken as "
            "having no time; convert the column to hold out whole stretches of time"
        )
    if not features:
        msg = f"There is no numeric column to watch among {named(table.column_names)}; convert one."
        raise DataError(msg)
    return remarks


def _has_time(table: pa.Table) -> bool:
    return _TIME in table.column_names and bool(
        pa.types.is_timestamp(table.schema.field(_TIME).type)
    )


def _cadence(time: pd.Series[pd.Timestamp]) -> float:
    """The usual seconds from one row to the next; 1 when all rows share one time."""
    steps = np.diff(np.sort(pd.DatetimeIndex(time.dropna()).as_unit("ns").asi8))
    steps = steps[steps > 0]
    return float(np.median(steps)) / 1e9 if len(steps) else 1.0


def _checked(frame: pd.DataFrame, schema: Schema, remarks: list[str]) -> TrainingData:
    feature_values(frame, schema)
    timeline_of(frame, schema)
    return TrainingData(frame, schema, tuple(remarks))


def _in_file(path: Path, error: PlimsollError) -> DataError:
    text = str(error)
    return DataError(text if text.startswith(str(path)) else f"{path}: {text}")
