"""Looking back: how the live bundle does on days that are in the tables already."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline import settings, tables
from pipeline.config import DetectorSpec
from pipeline.detector.bundle import load_bundle
from pipeline.detector.drawn import DrawnThreshold
from pipeline.errors import DataError
from pipeline.evaluation.metrics import Evaluation, evaluate
from pipeline.evaluation.tryout import judge
from pipeline.registry import promotion, versions
from pipeline.registry.connection import connect
from pipeline.registry.versions import Version
from pipeline.steps.candidate import detector_named
from pipeline.tables import Table


@dataclass(frozen=True)
class LookBack:
    """The champion on a span of days.

    Attributes:
        version: the champion's number.
        threshold: its line.
        evaluation: what it did.
    """

    version: int
    threshold: DrawnThreshold
    evaluation: Evaluation


def look_back(detector: str, first: date, last: date) -> LookBack:
    """The champion of `detector` on the validated days `first` to `last`, both included.

    Raises:
        DataError: there is no champion yet, or no validated row in the span.
    """
    spec = detector_named(detector)
    here = settings.load()
    champion = _champion(spec)
    frame = tables.read(Table(here.storage, detector, "telemetry"), first_day=first, last_day=last)
    if frame.empty:
        msg = f"No validated row of {detector} from {first} to {last}; ingest these days first."
        raise DataError(msg)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = load_bundle(versions.download(champion, Path(scratch)))
        drawn = bundle.description.threshold
        evaluation = evaluate(judge(bundle, frame, spec.columns), drawn)
    return LookBack(champion.number, drawn, evaluation)


def _champion(spec: DetectorSpec) -> Version:
    champion = versions.by_alias(connect(settings.load()), spec.name, promotion.CHAMPION)
    if champion is None:
        msg = f"{spec.name} has no champion yet; run its train DAG first."
        raise DataError(msg)
    return champion
