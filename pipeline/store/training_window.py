"""The training window: the days of telemetry from which a candidate may train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.grid import days_between
from pipeline.data.label import verdicts
from pipeline.data.meaning import meaning_of, spans
from pipeline.data.raw_values import truth
from pipeline.data.replaced_cells import ReplacedCells
from pipeline.data.split import labelled_incident, normal_rows
from pipeline.data.timeline import timeline_from
from pipeline.data.unscored_days import UnscoredDays
from pipeline.errors import DataError, TooFewDays
from pipeline.settings import Deployment
from pipeline.store.fits import AGAIN, lost_days, misfits_text, unfit_of
from pipeline.store.ingestions import OnRecord, on_record
from pipeline.store.labels import labels_as_of
from pipeline.store.telemetry import read_telemetry, telemetry_days, telemetry_version
from pipeline.store.upkeep import table_uri
from pipeline.utc_day import ONE_DAY, midnight

_NAMED = 3  # channels that a message names


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
        replaced: cells of open shifts in rows that train all the same; None: there are none.
        partial: rows that are left out because a channel of them has failed; they are in `rows`.
        unscored: days that nobody looked at for lasting faults; None: there are none, or nothing
            was live that could have scored them.
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
    replaced: ReplacedCells | None = None
    unscored: UnscoredDays | None = None
    partial: int = 0


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
    latest verdict by a person is `incident`. Rows of which a channel has failed are not, unless
    values may be missing: nothing would say what the network should make of such a row.

    Args:
        here: the deployment.
        spec: the detector.
        as_of: nothing of this day or later is read, and no label made after its first moment.
        version: table version to read; the newest by default.

    Raises:
        TooFewDays: fewer than `split.minimum_days` days are there.
        DataError: rows of some of them mean something else than the detector file says now
            (`pipeline.data.meaning`), or lack a column of it. (A feature, where values may be
            missing: all rows.)
    """
    where = table_uri(here, spec.name, "telemetry")
    version = telemetry_version(here, spec.name) if version is None else version
    held = [] if version is None else telemetry_days(here, spec.name, version=version)
    days = [day for day in held if day < as_of]
    if version is None or len(days) < spec.split.minimum_days:
        msg = (
            f"{len(days)} validated days before {as_of} in {where}; limit "
            f"{spec.split.minimum_days}: ingest more days, choose a later as-of day, or lower "
            "split.minimum_days."
        )
        raise TooFewDays(msg)
    days = days[-spec.split.training_days :]
    record = on_record(here, spec.name, days[0], as_of - ONE_DAY)
    _refuse_lost(here, spec, record, days[0], as_of)
    if unfit := unfit_of(record, meaning_of(spec.columns), days):
        msg = (
            f"{where}: {misfits_text(unfit)}; they were ingested before the detector file said "
            f"so, and nothing trains on a mixture. {AGAIN}"
        )
        raise DataError(msg)
    frame = read_telemetry(here, spec.name, days[0], days[-1], version=version)
    _refuse_gaps(here, frame, spec, version, days)
    frame = frame.sort_values(spec.columns.row_key, ignore_index=True)
    _refuse_shared_keys(frame, spec, where)
    delivered, frame = len(frame), _whole_rows(frame, spec, where)
    # Nothing of the as-of day is used, labels included: a rerun at any hour reads the same.
    labels = labels_as_of(here, spec.name, midnight(as_of), first=days[0], last=days[-1])
    if labels:
        frame[LABEL_COLUMN] = verdicts(timeline_from(frame, spec.columns), labels)
    manifest = replace(
        _manifest(frame, spec, where, version, as_of, days),
        rows=delivered,
        partial=delivered - len(frame),
        labels=len(labels),
        newest_label=labels[-1].created_at if labels else None,
    )
    return TrainingWindow(frame, manifest)


def _refuse_lost(
    here: Deployment, spec: DetectorSpec, record: OnRecord, first: date, as_of: date
) -> None:
    """Refuse a window if the table lacks a day that an attempt accepted."""
    # Days that were written after this version are not lost.
    present = telemetry_days(here, spec.name)
    if lost := lost_days(record, present, days_between(first, as_of)):
        msg = (
            f"{table_uri(here, spec.name, 'telemetry')}: {misfits_text(lost)}: the newest commits "
            "of its log were lost. Ingest those days again with the load DAG, or restore the "
            "table: docs/runbook.md, 'A damaged table'."
        )
        raise DataError(msg)


def _refuse_gaps(
    here: Deployment, frame: pd.DataFrame, spec: DetectorSpec, version: int, days: list[date]
) -> None:
    """Refuse rows that lack a column, which rows of earlier releases may do.

    Some rows may lack a feature: a sensor fails alone.
    """
    columns = spec.columns
    for name in (*columns.row_key, *columns.feature_columns, *sorted(columns.marks)):
        absent = len(frame) if name not in frame else int(frame[name].isna().sum())
        is_feature = name in columns.feature_columns
        if not absent or (is_feature and absent < len(frame)):
            continue
        without = _days_without(here, spec, name, version, days) if name in frame else days
        why = (
            "its sensor never worked on these days"
            if is_feature
            else "under another name of this column"
        )
        msg = (
            f"{table_uri(here, spec.name, 'telemetry')}: {absent:,} of {len(frame):,} rows have no "
            f"{name}, those of {spans(without)}; they were ingested before the detector file had "
            f"it, or {why}. {AGAIN}"
        )
        raise DataError(msg)


def _days_without(
    here: Deployment, spec: DetectorSpec, name: str, version: int, days: list[date]
) -> list[date]:
    """The days with rows that lack the column `name`."""
    rows = read_telemetry(
        here, spec.name, days[0], days[-1], columns=[name, "date"], version=version
    )
    return sorted(set(rows["date"][rows[name].isna()]))


def _whole_rows(frame: pd.DataFrame, spec: DetectorSpec, where: str) -> pd.DataFrame:
    """The rows without a missing feature; all of them where values may be missing.

    Raises:
        DataError: none is left.
    """
    if spec.validation.missing_cells:
        return frame
    lacking = frame[list(spec.columns.feature_columns)].isna()
    whole = ~lacking.any(axis=1)
    if not whole.any():
        counts = lacking.sum().sort_values(ascending=False)
        named = ", ".join(f"{name} in {n:,}" for name, n in counts[counts > 0][:_NAMED].items())
        msg = (
            f"{where}: each of {len(frame):,} rows lacks a channel ({named}); limit: one row at "
            "least lacks none. Repair these sensors, take them out of schema, or let values be "
            "missing (validation.missing_cells together with model.family: masked)."
        )
        raise DataError(msg)
    return frame if whole.all() else frame[whole].reset_index(drop=True)


def _refuse_shared_keys(frame: pd.DataFrame, spec: DetectorSpec, where: str) -> None:
    """Refuse a window in which two rows share time and machine."""
    shared = int(frame.duplicated(spec.columns.row_key).sum())
    if shared:
        key = " and ".join(spec.columns.row_key)
        msg = (
            f"{where}: {shared:,} of {len(frame):,} rows share {key} with another row, so that "
            f"machines cannot be distinguished. {AGAIN}"
        )
        raise DataError(msg)


def _manifest(
    frame: pd.DataFrame,
    spec: DetectorSpec,
    where: str,
    version: int,
    as_of: date,
    days: list[date],
) -> WindowManifest:
    marks = [name for name in spec.columns.exclude_from_training if name in frame]
    excluded = {name: int(truth(frame[name], name).sum()) for name in marks}
    if LABEL_COLUMN in frame:
        excluded[LABEL_COLUMN] = int(labelled_incident(frame).sum())
    return WindowManifest(
        table=where,
        table_version=version,
        as_of=as_of,
        first_day=days[0],
        last_day=days[-1],
        days=len(days),
        rows=len(frame),
        excluded=excluded,
        normal_rows=int(normal_rows(frame, spec.columns).sum()),
    )
