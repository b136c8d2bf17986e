"""The inputs of a fine-tuning: the champion's weights, recent normal rows, and older ones.

Which recent rows count as normal: rows that a person has labelled normal always do; rows that a
person or the source calls abnormal never do; of the others, those that the champion flags are left
out until somebody has labelled them. A new training keeps such rows, as a threshold flags one
normal row in a hundred, and hundreds of days outweigh a fault. A fine-tuning sees only the last
weeks, and its successor sees them again next month: a fault that has begun would be a large share
of its training rows, and would count as normal a month later.

Leaving flagged rows out would bias a threshold: rows below the old threshold alone would give a
lower one, and that one a lower one still. The threshold of a fine-tuned candidate is therefore not
estimated on these rows but like any candidate's, on the calibration block, which keeps every row
that is not labelled an incident, flagged or not. So the rate stays as promised however often a
detector is fine-tuned. One limit remains: where normal has moved so far that most of it is flagged,
a fine-tuning follows only as far as the old threshold. Label those days normal, or train without
warm_start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import NORMAL, verdicts
from pipeline.data.split import Blocks, normal_rows, trains
from pipeline.data.timeline import timeline_from
from pipeline.detector.bundle.bundle import Bundle, fitted_of
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.training.warm_start import refuse_other, tuned
from pipeline.errors import DataError
from pipeline.records import to_json
from pipeline.registry import tags
from pipeline.scoring import score_rows
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.steps.versions import version_of
from pipeline.store.days import read_days
from pipeline.store.fits import fitting
from pipeline.store.labels import labels_as_of
from pipeline.store.training_window import WindowManifest
from pipeline.tables import Table, days_in
from pipeline.utc_day import midnight

_FIX = "Train without warm_start."


@dataclass(frozen=True)
class Prepared:
    """The inputs of a fine-tuning.

    Attributes:
        start: the version it starts from.
        network: the champion's.
        recent: rows to train on, which replace the train block.
        older: rows to replay.
    """

    start: Start
    network: FittedNetwork
    recent: pd.DataFrame
    older: pd.DataFrame


def prepare(
    here: Deployment, spec: DetectorSpec, manifest: WindowManifest, blocks: Blocks
) -> Prepared:
    """The inputs of a fine-tuning of the live version on a training window.

    Raises:
        DataError: nothing is live, the live version needs rows of another meaning than the
            detector file says, days have no role of their own, or no row is left to replay.
        BundleError: the live version has another family, loss or input than the detector file.
    """
    champion = live.champion(here, spec.name)
    bundle = champion.bundle
    tuned(spec.model, spec.fine_tuning)
    schema = schema_for(spec)
    refuse_other(bundle.description.network, schema, spec.model)
    refuse_unfit(champion, spec)
    training = _training_of(here, champion, spec)
    _refuse_other_roles(training, champion.version.number, spec)
    recent, suspects = _recent(blocks.train.frame, bundle, spec)
    since, until = _span(training)
    older = _older(here, spec, manifest, (since, until), without=_days(recent, spec))
    start = Start(
        version=champion.version.number,
        bundle_sha256=bundle.digest,
        since=since,
        recent_days=len(_days(recent, spec)),
        recent_rows=len(recent),
        confirmed=int(_called_normal(recent).sum()),
        suspects=suspects,
        replay_days=len(_days(older, spec)),
        replay_rows=len(older),
    )
    return Prepared(start, fitted_of(bundle), recent, older)


def roles(spec: DetectorSpec) -> dict[str, object]:
    """The settings that decide which days train: kept in the bundle for a later fine-tuning."""
    parts = ("method", "train", "calibration", "test")
    shares = to_json(spec.split.model_dump(mode="json", include=set(parts)))
    return {"split": {**shares, "counted_from": spec.schedule.start.isoformat()}}


def _training_of(here: Deployment, champion: LoadedVersion, spec: DetectorSpec) -> Provenance:
    """The provenance of the training that made the champion's weights."""
    trained = tags.weights_of(champion.version)
    same = trained == champion.version.number
    bundle = champion.bundle if same else version_of(here, spec.name, trained).bundle
    return bundle.description.provenance


def _refuse_other_roles(training: Provenance, version: int, spec: DetectorSpec) -> None:
    """Raise unless the weights cannot have been trained on calibration or test days."""
    if spec.split.method != "interleaved_days":
        msg = (
            f"split.method is {spec.split.method}: which days train moves with the window, so the "
            f"weights of version {version} may have been trained on calibration or test days. "
            f"{_FIX}"
        )
        raise DataError(msg)
    was, now = training.data.get("split"), roles(spec)["split"]
    if was is not None and was != now:
        msg = (
            f"Days were split by {was} when version {version} was trained, and by {now} today, so "
            f"its weights may have been trained on calibration or test days. {_FIX}"
        )
        raise DataError(msg)


def _span(training: Provenance) -> tuple[date, date]:
    """First and last day that the weights were trained on.

    Raises:
        DataError: the bundle does not say.
    """
    try:
        first, last = (date.fromisoformat(training.data[key]) for key in ("first_day", "last_day"))
    except KeyError as error:
        msg = f"The live version does not say which days it was trained on ({error}). {_FIX}"
        raise DataError(msg) from error
    return min(first, training.start.since) if training.start else first, last


def _recent(frame: pd.DataFrame, bundle: Bundle, spec: DetectorSpec) -> tuple[pd.DataFrame, int]:
    """Rows of the newest days of the train block that count as normal, and how many do not."""
    day = frame[spec.columns.timestamp].dt.date
    newest = sorted(set(day))[-spec.fine_tuning.recent_days :]
    recent = frame[day.isin(newest)].reset_index(drop=True)
    suspect = score_rows(bundle, recent).flagged & ~_called_normal(recent)
    return recent[~suspect].reset_index(drop=True), int(suspect.sum())


def _called_normal(frame: pd.DataFrame) -> NDArray[np.bool_]:
    if LABEL_COLUMN not in frame:
        return np.zeros(len(frame), dtype=bool)
    called: NDArray[np.bool_] = frame[LABEL_COLUMN].to_numpy() == NORMAL
    return called


def _older(
    here: Deployment,
    spec: DetectorSpec,
    manifest: WindowManifest,
    span: tuple[date, date],
    *,
    without: set[date],
) -> pd.DataFrame:
    """Normal rows of train days in `span`, spread evenly over it.

    Flagged or not: the champion was trained and its threshold estimated with such rows. Labels are
    those of today: rows that have been labelled an incident since are left out.

    Raises:
        DataError: no such row is left.
    """
    table = Table(here.storage, spec.name, "telemetry")
    held = [
        day
        for day in days_in(table, version=manifest.table_version)
        if span[0] <= day <= span[1] and day not in without and trains(day, spec)
    ]
    held = fitting(here.storage, spec, held)
    most = spec.fine_tuning.replay_days
    chosen = [held[n] for n in np.unique(np.linspace(0, len(held) - 1, most).round().astype(int))]
    frame = _normal_rows(here, table, spec, manifest, chosen) if held else pd.DataFrame()
    if frame.empty:
        msg = (
            f"No normal row of the days {span[0]} to {span[1]}, which the live version was trained "
            f"on, is left in {table.uri} beside the recent days: fine-tuned on the recent days "
            f"alone it would forget them. {_FIX}"
        )
        raise DataError(msg)
    return frame


def _normal_rows(
    here: Deployment, table: Table, spec: DetectorSpec, manifest: WindowManifest, days: list[date]
) -> pd.DataFrame:
    """The rows as the training window would have read them on its as-of day."""
    columns = spec.columns
    frame = read_days(table, columns, days, version=manifest.table_version)
    frame = frame.dropna(subset=columns.row_key, ignore_index=True)
    if not spec.validation.missing_cells:
        frame = frame.dropna(subset=list(columns.feature_columns), ignore_index=True)
    labels = labels_as_of(here, spec.name, midnight(manifest.as_of), first=days[0], last=days[-1])
    frame[LABEL_COLUMN] = verdicts(timeline_from(frame, columns), labels)
    normal: pd.DataFrame = frame[normal_rows(frame, columns)]
    return normal.reset_index(drop=True)


def _days(frame: pd.DataFrame, spec: DetectorSpec) -> set[date]:
    return set(frame[spec.columns.timestamp].dt.date)
