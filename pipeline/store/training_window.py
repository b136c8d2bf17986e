"""The training window: the days of telemetry from which a candidate may train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.grid import days_between
from pipeline.data.label import verdicts
from pipeline.data.meaning import meaning_of, spans
from pipeline.data.spelling import truth
from pipeline.data.split import labelled_incident, normal_rows
from pipeline.data.timeline import timeline_from
from pipeline.errors import DataError, TooFewDays
from pipeline.settings import Deployment
from pipeline.store.fits import AGAIN, lost_days, misfits_text, unfit_of
from pipeline.store.ingestions import OnRecord, on_record
from pipeline.store.labels import labels_as_of
from pipeline.tables import Table, current_version, days_in, read
from pipeline.utc_day import midnight


@dataclass(frozen=True)
class WindowManifest:
    """The origin of the rows of a window, so that the same rows can be read again.

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
            it identifies the labels that were known.
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
    manifest: WindowManifest


def read_training_window(
    here: Deployment, spec: DetectorSpec, as_of: date, *, version: int | None = None
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
        DataError: rows of some of them mean something else than the detector file says now
            (`pipeline.data.meaning`), or lack a column of it. (A feature, where values may be
            missing: all rows.)
    """
    table = Table(here.storage, spec.name, "telemetry")
    version = current_version(table) if version is None else version
    days = [] if version is None else [d for d in days_in(table, version=version) if d < as_of]
    if version is None or len(days) < spec.split.minimum_days:
        msg = (
            f"{len(days)} validated days before {as_of} in {table.uri}; limit "
            f"{spec.split.minimum_days}: ingest more days, choose a later as-of day, or lower "
            "split.minimum_days."
        )
        raise TooFewDays(msg)
    days = days[-spec.split.training_days :]
    record = on_record(here.storage, spec.name, days[0], as_of - timedelta(days=1))
    _refuse_lost(record, table, days[0], as_of)
    if unfit := unfit_of(record, meaning_of(spec.columns), days):
        msg = (
            f"{table.uri}: {misfits_text(unfit)}; they were ingested before the detector file said "
            f"so, and nothing trains on a mixture. {AGAIN}"
        )
        raise DataError(msg)
    frame = read(table, first_day=days[0], last_day=days[-1], version=version)
    _refuse_gaps(frame, spec, table, version, days)
    frame = frame.sort_values(spec.columns.row_key, ignore_index=True)
    _refuse_shared_keys(frame, spec, table)
    # Nothing of the as-of day is used, labels included: a rerun at any hour reads the same.
    labels = labels_as_of(here, spec.name, midnight(as_of), first=days[0], last=days[-1])
    if labels:
        frame[LABEL_COLUMN] = verdicts(timeline_from(frame, spec.columns), labels)
    manifest = replace(
        _manifest(frame, spec, table, version, as_of, days),
        labels=len(labels),
        newest_label=labels[-1].created_at if labels else None,
    )
    return TrainingWindow(frame, manifest)


def _refuse_lost(record: OnRecord, table: Table, first: date, as_of: date) -> None:
    """Refuse a window if the table lacks a day that an attempt accepted."""
    # Days that were written after this version are not lost.
    if lost := lost_days(record, days_in(table), days_between(first, as_of)):
        msg = (
            f"{table.uri}: {misfits_text(lost)}: the newest commits of its log were lost. Ingest "
            "those days again with the load DAG, or restore the table: docs/runbook.md, "
            "'A damaged table'."
        )
        raise DataError(msg)


def _refuse_gaps(
    frame: pd.DataFrame, spec: DetectorSpec, table: Table, version: int, days: list[date]
) -> None:
    """Refuse rows that lack a column, which rows of earlier releases may do."""
    columns = spec.columns
    for name in (*columns.row_key, *columns.feature_columns, *sorted(columns.marks)):
        absent = len(frame) if name not in frame else int(frame[name].isna().sum())
        is_feature = name in columns.feature_columns
        may_lack = is_feature and spec.validation.missing_cells and absent < len(frame)
        if not absent or may_lack:
            continue
        without = _days_without(name, table, version, days) if name in frame else days
        why = (
            "while a larger validation.missing_cells let it be missing"
            if is_feature
            else "under another name of this column"
        )
        msg = (
            f"{table.uri}: {absent:,} of {len(frame):,} rows have no {name}, those of "
            f"{spans(without)}; they were ingested before the detector file had it, or {why}. "
            f"{AGAIN}"
        )
        raise DataError(msg)


def _days_without(name: str, table: Table, version: int, days: list[date]) -> list[date]:
    """The days with rows that lack the column `name`."""
    rows = read(
        table,
        columns=[name],
        first_day=days[0],
        last_day=days[-1],
        version=version,
        keep_date=True,
    )
    return sorted(set(rows["date"][rows[name].isna()]))


def _refuse_shared_keys(frame: pd.DataFrame, spec: DetectorSpec, table: Table) -> None:
    """Refuse a window in which two rows share time and machine."""
    shared = int(frame.duplicated(spec.columns.row_key).sum())
    if shared:
        key = " and ".join(spec.columns.row_key)
        msg = (
            f"{table.uri}: {shared:,} of {len(frame):,} rows share {key} with another row, so that "
            f"machines cannot be distinguished. {AGAIN}"
        )
        raise DataError(msg)


def _manifest(
    frame: pd.DataFrame,
    spec: DetectorSpec,
    table: Table,
    version: int,
    as_of: date,
    days: list[date],
) -> WindowManifest:
    marks = [name for name in spec.columns.exclude_from_training if name in frame]
    excluded = {name: int(truth(frame[name], name).sum()) for name in marks}
    if LABEL_COLUMN in frame:
        excluded[LABEL_COLUMN] = int(labelled_incident(frame).sum())
    return WindowManifest(
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
