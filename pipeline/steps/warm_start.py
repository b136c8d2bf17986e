"""The inputs of a fine-tuning: the champion's weights, recent normal rows, and older ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import verdicts
from pipeline.data.split import Blocks, normal_rows
from pipeline.data.timeline import timeline_from
from pipeline.detector.bundle.bundle import fitted_of
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.training.fine_tuning_rows import (
    FIX,
    days_of,
    newest_days,
    recent_rows,
    refuse_other_roles,
    replayable,
    spread_evenly,
    trained_span,
)
from pipeline.detector.training.warm_start import refuse_other, tuned
from pipeline.errors import DataError
from pipeline.registry import tags
from pipeline.scoring import score_rows
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.steps.open_case_rows import leave_out, spans_left_out
from pipeline.steps.versions import version_of
from pipeline.store.fits import fitting
from pipeline.store.labels import labels_as_of
from pipeline.store.telemetry import read_telemetry_of, telemetry_days
from pipeline.store.training_window import WindowManifest
from pipeline.store.upkeep import table_uri
from pipeline.utc_day import midnight


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
    training = training_of(here, champion, spec)
    refuse_other_roles(training, champion.version.number, spec)
    newest = newest_days(blocks.train.frame, spec)
    recent = recent_rows(newest, score_rows(bundle, newest).flagged)
    recent_days, span = days_of(recent.frame, spec.columns), trained_span(training)
    older = _older(here, spec, manifest, span, without=recent_days)
    start = Start(
        version=champion.version.number,
        bundle_sha256=bundle.digest,
        since=span[0],
        recent_days=len(recent_days),
        recent_rows=len(recent.frame),
        confirmed=recent.confirmed,
        suspects=recent.suspects,
        replay_days=len(days_of(older, spec.columns)),
        replay_rows=len(older),
    )
    return Prepared(start, fitted_of(bundle), recent.frame, older)


def training_of(here: Deployment, champion: LoadedVersion, spec: DetectorSpec) -> Provenance:
    """The provenance of the training that made the champion's weights."""
    trained = tags.weights_of(champion.version)
    same = trained == champion.version.number
    bundle = champion.bundle if same else version_of(here, spec.name, trained).bundle
    return bundle.description.provenance


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
    held = replayable(
        telemetry_days(here, spec.name, version=manifest.table_version), span, without, spec
    )
    chosen = spread_evenly(fitting(here, spec, held), spec.fine_tuning.replay_days)
    frame = _normal_rows(here, spec, manifest, chosen) if chosen else pd.DataFrame()
    if frame.empty:
        where = table_uri(here, spec.name, "telemetry")
        msg = (
            f"No normal row of the days {span[0]} to {span[1]}, which the live version was trained "
            f"on, is left in {where} beside the recent days: fine-tuned on the recent days "
            f"alone it would forget them. {FIX}"
        )
        raise DataError(msg)
    return frame


def _normal_rows(
    here: Deployment, spec: DetectorSpec, manifest: WindowManifest, days: list[date]
) -> pd.DataFrame:
    """The rows as the training window would have read them on its as-of day."""
    columns = spec.columns
    frame = read_telemetry_of(here, spec, days, version=manifest.table_version)
    frame = frame.dropna(subset=columns.row_key, ignore_index=True)
    if not spec.validation.missing_cells:
        frame = frame.dropna(subset=list(columns.feature_columns), ignore_index=True)
    labels = labels_as_of(here, spec.name, midnight(manifest.as_of), first=days[0], last=days[-1])
    frame[LABEL_COLUMN] = verdicts(timeline_from(frame, columns), labels)
    spans = spans_left_out(here, spec.name, days[0], manifest.as_of)
    frame = leave_out(here, spec, frame, spans).frame
    normal: pd.DataFrame = frame[normal_rows(frame, columns)]
    return normal.reset_index(drop=True)
