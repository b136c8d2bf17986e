"""The training window: which days of telemetry a candidate may learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import verdicts
from pipeline.data.labels import labels_as_of
from pipeline.data.split import labelled_incident, normal_rows
from pipeline.data.timeline import timeline
from pipeline.errors import DataError, TooFewDays
from pipeline.tables import Table, current_version, days_in, read


@dataclass(frozen=True)
class Manifest:
    """Where the rows of a window came from, so that the same rows can be read again.

    Attributes:
        table: URI of the telemetry table.
        table_version: its version that was read.
        as_of: the day before which the window ends.
        first_day: first day with rows.
        last_day: last day with rows.
        days: days with rows.
        rows: rows read, the excluded ones included.
        excluded: rows that must not train, by the column that says so; a row may count twice.
        normal_rows: rows that none of these columns excludes.
        labels: people's verdicts on spans of these days, superseded ones included.
        newest_label: when the newest of them was made; with the table `labels`, which only grows,
            it tells which labels were known.
    """

    table: str
    table_version: int
    as_of: date
    first_day: date
    last_day: date
    days: int
    rows: int
    excluded: dict[str, int]
    normal_rows: int
    labels: int = 0
    newest_label: datetime | None = None


@dataclass(frozen=True)
class TrainingWindow:
    """Telemetry of a window in order of time and entity, and its origin."""

    frame: pd.DataFrame
    manifest: Manifest


def read_training_window(
    root: str, spec: DetectorSpec, as_of: date, *, version: int | None = None
) -> TrainingWindow:
    """The last `split.training_days` validated days before `as_of`, itself not included.

    Rows that `schema.exclude_from_training` marks are in the frame: `split` keeps them out of the
    train and calibration blocks and leaves them in the test block. The same goes for rows whose
    latest verdict by a person is `incident`.

    Args:
        root: storage root of the tables.
        spec: the detector.
        as_of: nothing of this day or later is read, and no label made after its first moment.
        version: table version to read; the newest by default.

    Raises:
        TooFewDays: fewer than `split.minimum_days` days are there.
        DataError: some of them were ingested under a schema without one of today's features.
            (Where values may be missing: all.)
    """
    table = Table(root, spec.name, "telemetry")
    version = current_version(table) if version is None else version
    days = [] if version is None else [d for d in days_in(table, version=version) if d < as_of]
    if version is None or len(days) < spec.split.minimum_days:
        msg = (
            f"{len(days)} validated days before {as_of} in {table.uri}; limit "
            f"{spec.split.minimum_days}: ingest more days, take a later as-of day, or lower "
            "split.minimum_days."
        )
        raise TooFewDays(msg)
    days = days[-spec.split.training_days :]
    frame = read(table, first_day=days[0], last_day=days[-1], version=version)
    _refuse_gaps(frame, spec, table)
    frame = frame.sort_values(spec.columns.row_key, ignore_index=True)
    # Of the as-of day nothing is known, labels included: a rerun at any hour reads the same.
    midnight = datetime.combine(as_of, time(), UTC)
    labels = labels_as_of(root, spec.name, midnight, first=days[0], last=days[-1])
    if labels:
        frame[LABEL_COLUMN] = verdicts(timeline(frame, spec.columns), labels)
    manifest = replace(
        _manifest(frame, spec, table, version, as_of, days),
        labels=len(labels),
        newest_label=labels[-1].created_at if labels else None,
    )
    return TrainingWindow(frame, manifest)


def _refuse_gaps(frame: pd.DataFrame, spec: DetectorSpec, table: Table) -> None:
    for name in spec.columns.feature_columns:
        absent = len(frame) if name not in frame else int(frame[name].isna().sum())
        if absent and not (spec.validation.missing_cells and absent < len(frame)):
            msg = (
                f"{table.uri}: {absent:,} of {len(frame):,} rows have no {name}; they were "
                "ingested before the detector file had this feature, or while a larger "
                "validation.missing_cells let it be missing. Ingest those days again."
            )
            raise DataError(msg)


def _manifest(
    frame: pd.DataFrame,
    spec: DetectorSpec,
    table: Table,
    version: int,
    as_of: date,
    days: list[date],
) -> Manifest:
    marks = [name for name in spec.columns.exclude_from_training if name in frame]
    excluded = {name: int(frame[name].astype(bool).sum()) for name in marks}
    if LABEL_COLUMN in frame:
        excluded[LABEL_COLUMN] = int(labelled_incident(frame).sum())
    return Manifest(
        table=table.uri,
        table_version=version,
        as_of=as_of,
        first_day=days[0],
        last_day=days[-1],
        days=len(days),
        rows=len(frame),
        excluded=excluded,
        normal_rows=int(normal_rows(frame, spec.columns).sum()),
    )
