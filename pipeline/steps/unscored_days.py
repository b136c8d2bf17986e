"""Which days of a training window nobody looked at, as they were never scored."""

from __future__ import annotations

from dataclasses import replace

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.unscored_days import unscored_of
from pipeline.detector.training.fine_tuning_rows import trained_span
from pipeline.errors import BundleError, DataError
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.warm_start import training_of
from pipeline.store.scores import scored_days
from pipeline.store.training_window import TrainingWindow

log = structlog.get_logger()


def with_unscored_days(
    here: Deployment, spec: DetectorSpec, read: TrainingWindow
) -> TrainingWindow:
    """The window, whose manifest says which days after the live version's training have no scores.

    Without a live version nothing could have scored them.

    Raises:
        UnprovenLedger: the ledger does not hold.
        UnprovenBundle: the live version's bundle is gone, or is not the one in the ledger.
    """
    champion = live.readable_champion(here, spec.name)
    if champion is None:
        return read
    try:
        _, trained = trained_span(training_of(here, champion, spec))
    except (BundleError, DataError) as error:  # a remark must not stop a training
        log.warning("unscored_days_unknown", detector=spec.name, reason=str(error))
        return read
    days = set(read.frame[spec.columns.timestamp].dt.date)
    found = unscored_of(days, scored_days(here, spec.name), after=trained)
    if found is None:
        return read
    log.warning("window_days_never_scored", detector=spec.name, reason=found.sentence)
    return replace(read, manifest=replace(read.manifest, unscored=found))
