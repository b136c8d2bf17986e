"""The training data of `fit`: rows and schema of Parquet files, with or without a detector file.

Of files with more rows than `most` that many are sampled, evenly and by a seed: whole stretches of
time where rows have a time. The others stay on disk: training would not use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.cli import stored
from pipeline.cli.sampling import few_times, sampled
from pipeline.cli.stored import Stored
from pipeline.cli.usable import (
    label_names,
    less_offsets,
    refuse_lost_precision,
    with_offsets,
    without_unusable,
)
from pipeline.config import DetectorSpec, Validation
from pipeline.config.columns import EVALUATION_PREFIX, LABEL_COLUMN
from pipeline.data.derive import derive
from pipeline.data.split import normal_rows
from pipeline.detector.inputs.frames import feature_values, timeline_of, utc_of
from pipeline.detector.inputs.inputs import named
from pipeline.detector.inputs.schema import UNKNOWN_UNIT, Schema, schema_for
from pipeline.errors import DataError, PlimsollError

_TIME = "timestamp"
_FEWEST_TIMES = 20
"""Fewer distinct times than this have no stretch of time that could be held out."""


@dataclass(frozen=True)
class TrainingData:
    """Normal rows to fit on.

    Attributes:
        frame: the rows, checked: every feature is present and finite.
        schema: the detector's input.
        remarks: for the user, one sentence each: what was left out and why.
        source: the files with the rows.
        is_sample: whether they are only a part of the files' rows.
    """

    frame: pd.DataFrame
    schema: Schema
    remarks: tuple[str, ...]
    source: Stored
    is_sample: bool


@dataclass(frozen=True)
class RandomSample:
    """A sample of at most `most` rows, by `seed`."""

    most: int
    seed: int


def by_spec(path: Path, spec: DetectorSpec, sample: RandomSample) -> TrainingData:
    """The rows of `path` as the detector file describes them, without known abnormal ones.

    Raises:
        DataError: a column is absent, or a feature is not finite; the message names the file.
    """
    source = stored.find(path)
    schema = schema_for(spec)
    try:
        table, remarks = _sampled(
            source, _needed(source, spec), spec.columns.timestamp, sample, schema
        )
        frame, more = _as_specified(_as_frame(table, spec), spec, schema)
        remarks += more
        if lacking := sorted(spec.columns.marks - set(frame.columns)):
            remarks.append(
                f"warning: there is no column {named(lacking)}, which marks what is not normal: "
                "every row is treated as normal"
            )
        normal = normal_rows(frame, spec.columns)
        if not normal.all():
            reasons = named(sorted(spec.columns.marks))
            remarks.append(f"{int((~normal).sum()):,} rows left out, known abnormal by {reasons}")
        frame = frame.loc[normal].reset_index(drop=True)
        return _checked(frame, schema, remarks, source, sample)
    except DataError as error:
        raise _in_file(path, error) from error


def _as_frame(table: pa.Table, spec: DetectorSpec) -> pd.DataFrame:
    """The rows; integer machine names as text, so that a missing one does not make them floats."""
    entity = spec.columns.entity
    if entity in table.column_names and pa.types.is_integer(table[entity].type):
        place = table.column_names.index(entity)
        table = table.set_column(place, entity, table[entity].cast(pa.string()))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _as_specified(
    frame: pd.DataFrame, spec: DetectorSpec, schema: Schema
) -> tuple[pd.DataFrame, list[str]]:
    """The rows that ingestion would let through, with the model's features; and remarks."""
    missing, limit = schema.takes_missing, spec.validation.maximum_rejected
    there = set(schema.features) <= set(frame.columns)
    raw = {name: each for name, each in spec.columns.features.items() if name in frame}
    remarks: list[str] = []
    if not there:
        offsets = {name: each.offset for name, each in raw.items()}
        frame, remarks = without_unusable(frame, offsets, missing=missing, limit=limit)
        refuse_lost_precision(frame, spec.columns)
        frame = derive(frame, spec.columns)
    offsets = dict.fromkeys(schema.features, 0.0)
    frame, more = without_unusable(frame, offsets, missing=missing, limit=limit)
    if there:
        refuse_lost_precision(frame, spec.columns)
    return frame, remarks + more


def by_numbers(path: Path, sample: RandomSample, schema: Schema | None = None) -> TrainingData:
    """The rows of `path` with every numeric column as a feature, or with the columns of `schema`.

    A datetime column `timestamp` is the time. Booleans are left out (they are labels more often
    than measurements), and so are columns that are named like a label or begin with `eval_`. Rows
    without a number are left out; more than a fifth of them are refused. A feature that float32
    cannot represent finely enough has a round number subtracted, see `schema.offsets`.

    Raises:
        DataError: no numeric column, or one that is not finite in too many rows; the message names
            the file.
    """
    source = stored.find(path)
    try:
        if schema is not None:
            raw = (each.column for each in schema.offsets)
            wanted = {schema.timestamp, *schema.features, *raw}
            kept = [name for name in source.schema.names if name in wanted]
            table, remarks = _sampled(source, kept, schema.timestamp, sample, schema)
            frame, more = _usable(less_offsets(table.to_pandas(), schema), schema.features)
            return _checked(frame, schema, remarks + more, source, sample)
        features, remarks = _features(source.schema)
        time = _TIME if _has_time(source.schema) else None
        if time and few_times(source, time, _FEWEST_TIMES):
            remarks.append(f"{_TIME} hardly changes: the rows are treated as having no time")
            time = None
        table, more = _sampled(source, ([time] if time else []) + features, time, sample)
        frame, unusable = _usable(table.to_pandas(), features)
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
        frame, found, subtracted = with_offsets(frame, found)
        return _checked(frame, found, remarks + more + unusable + subtracted, source, sample)
    except DataError as error:
        raise _in_file(path, error) from error


def _usable(frame: pd.DataFrame, features: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows with numbers, by ingestion's default limits."""
    offsets = {name: 0.0 for name in features if name in frame}
    limit = Validation().maximum_rejected
    return without_unusable(frame, offsets, missing=False, limit=limit)


def _needed(source: Stored, spec: DetectorSpec) -> list[str]:
    """The columns of the files that the detector file names."""
    columns = spec.columns
    wanted = {columns.timestamp, columns.entity, LABEL_COLUMN, *columns.features}
    wanted |= {*columns.feature_columns, *columns.evaluation_only}
    return [name for name in source.schema.names if name in wanted]


def _sampled(
    source: Stored,
    columns: list[str],
    time: str | None,
    sample: RandomSample,
    schema: Schema | None = None,
) -> tuple[pa.Table, list[str]]:
    """The rows to fit on, and a remark if they are a sample."""
    if source.rows <= sample.most:
        return stored.whole(source).select(columns), []
    known = time if time in columns else None
    window_ns = round(schema.window * (schema.cadence_s or 0) * 1e9) if schema else 0
    table = sampled(source, columns, known, most=sample.most, seed=sample.seed, window_ns=window_ns)
    how = "at random" if known is None else "in whole stretches of time"
    remark = (
        f"{table.num_rows:,} of {source.rows:,} rows sampled, {how}; the others stay on disk and "
        "are not checked (--max-rows)"
    )
    return table, [remark]


def _features(schema: pa.Schema) -> tuple[list[str], list[str]]:
    """Names of the feature columns, and a remark on every other one."""
    features: list[str] = []
    ignored: list[str] = []
    evaluation: list[str] = []
    labels = label_names(schema.names)
    for column in schema:
        if column.name.startswith(EVALUATION_PREFIX):
            evaluation.append(column.name)
        elif column.name in labels:
            continue
        elif stored.is_number(column.type) and column.name != _TIME:
            features.append(column.name)
        elif not (column.name == _TIME and _has_time(schema)):
            ignored.append(f"{column.name} ({column.type})")
    return features, _remarks(schema, features, ignored, evaluation, labels)


def _remarks(
    schema: pa.Schema,
    features: list[str],
    ignored: list[str],
    evaluation: list[str],
    labels: list[str],
) -> list[str]:
    remarks = []
    if labels:
        remarks.append(
            f"ignored, named like a label: {', '.join(labels)}; to watch such a column, list it in "
            "a detector file (--detector)"
        )
    if ignored:
        remarks.append(f"ignored, not numeric: {', '.join(ignored)}")
    if evaluation:
        remarks.append(f"ignored, only for judging: {', '.join(evaluation)}")
    if _TIME in schema.names and not _has_time(schema):
        remarks.append(
            f"{_TIME} is {schema.field(_TIME).type}, not a datetime: the rows are treated as "
            "having no time; convert the column to hold out whole stretches of time"
        )
    if not features:
        msg = f"There is no numeric column to watch among {named(schema.names)}; convert one."
        raise DataError(msg)
    return remarks


def _has_time(schema: pa.Schema) -> bool:
    return _TIME in schema.names and bool(pa.types.is_timestamp(schema.field(_TIME).type))


def _cadence(time: pd.Series[pd.Timestamp]) -> float:
    """The usual seconds from one row to the next; 1 when all rows share one time."""
    steps = np.diff(np.sort(utc_of(time.dropna(), _TIME).asi8))
    steps = steps[steps > 0]
    return float(np.median(steps)) / 1e9 if len(steps) else 1.0


def _checked(
    frame: pd.DataFrame, schema: Schema, remarks: list[str], source: Stored, sample: RandomSample
) -> TrainingData:
    feature_values(frame, schema)
    timeline_of(frame, schema)
    return TrainingData(frame, schema, tuple(remarks), source, is_sample=source.rows > sample.most)


def _in_file(path: Path, error: PlimsollError) -> DataError:
    text = str(error)
    return DataError(text if text.startswith(str(path)) else f"{path}: {text}")
