"""Evaluation of the live bundle on days that are already in the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pipeline.data.grid import days_between
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import failed_cells, feature_values
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import DataError
from pipeline.evaluation.metrics import Evaluation, evaluate
from pipeline.evaluation.tryout import judge
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.candidate import detector_named
from pipeline.steps.meaning import refuse_unfit, refuse_unfit_days
from pipeline.store.telemetry import read_telemetry


@dataclass(frozen=True)
class LookBack:
    """The champion on a span of days.

    Attributes:
        version: the champion's number.
        threshold: its threshold.
        evaluation: its metrics on the span.
    """

    version: int
    threshold: ThresholdEstimate
    evaluation: Evaluation


def _whole(frame: pd.DataFrame, bundle: Bundle) -> pd.DataFrame:
    """The rows of which no sensor has failed: the promise of the threshold is about these."""
    values = feature_values(frame, bundle.schema, partial=True)
    whole = np.flatnonzero(~failed_cells(values, bundle.schema).any(axis=1))
    return frame.iloc[whole]


def look_back(here: Deployment, detector: str, first: date, last: date) -> LookBack:
    """The champion of `detector` on the validated days `first` to `last`, both included.

    Raises:
        DataError: there is no champion yet, or no validated row in the span, or the champion
            needs rows of another meaning.
    """
    spec = detector_named(here, detector)
    champion = live.champion(here, detector)
    refuse_unfit(champion, spec)
    refuse_unfit_days(here, champion, spec, days_between(first, last))
    frame = read_telemetry(here, detector, first, last)
    if frame.empty:
        msg = f"No validated row of {detector} from {first} to {last}; ingest these days first."
        raise DataError(msg)
    threshold = champion.bundle.description.threshold
    whole = _whole(frame, champion.bundle)
    evaluation = evaluate(judge(champion.bundle, whole, spec.columns), threshold)
    return LookBack(champion.version.number, threshold, evaluation)
