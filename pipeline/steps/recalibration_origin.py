"""A recalibration under way: what one task passes to the next, and where files are staged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.bundle.lineage import Lineage
from pipeline.errors import DataError
from pipeline.recalibration import Anchor
from pipeline.records import to_json
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate

ROWS, RECALIBRATION = "rows/rows.parquet", "recalibration"
KIND = "recalibrated"


@dataclass(frozen=True)
class Acceptance:
    """A person lets a threshold go live beyond the bounds; later moves are measured from it."""

    who: str
    reason: str


@dataclass(frozen=True)
class RecalibrationWindow:
    """The origin of the rows of a rolling window; part of the bundle's provenance.

    Attributes:
        kind: `recalibrated`, which distinguishes it from the manifest of a training.
        as_of: the day before which the window ends, and labels were made.
        first_day: first day of the window.
        last_day: last day.
        days: validated days of the window.
        rows: scored rows of the window.
        rows_digest: hash of rows, scores, verdicts and audits.
        rescored: days that were scored for the window, as nobody had with these weights.
        telemetry_version: version of the table.
        labels: labels that were known and touch the window.
        labels_until: when the newest of them was made, ISO 8601; empty without labels.
        champion: version that was live.
        drawn_from: version that is recalibrated: the champion, or its parent when the champion
            itself is the recalibration for this as-of day.
    """

    kind: str
    as_of: date
    first_day: date
    last_day: date
    days: int
    rows: int
    rows_digest: str
    rescored: int
    telemetry_version: int | None
    labels: int
    labels_until: str
    champion: int
    drawn_from: int


@dataclass(frozen=True)
class RecalibrationOrigin:
    """The inputs of a recalibration, pinned when it starts."""

    spec: dict[str, Any]
    window: RecalibrationWindow
    code: str
    acceptance: Acceptance | None


def name_of(origin: RecalibrationOrigin) -> str:
    """A name that two recalibrations share only if all their inputs are the same."""
    content = {**to_json(origin), "window": given(origin.window)}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{origin.window.as_of}-recalibrated-{digest[:8]}"


def given(window: RecalibrationWindow) -> dict[str, Any]:
    """The inputs that decide the new threshold, and are the same when a month is run again.

    Table versions and the champion do not decide it; the rows and the recalibrated version do.
    """
    happened = {"telemetry_version", "rescored", "champion"}
    return {name: value for name, value in to_json(window).items() if name not in happened}


def stage(candidate: Candidate, origin: RecalibrationOrigin, rows: pd.DataFrame) -> Candidate:
    """The candidate with its origin and its rows kept beside its folders."""
    return staged.stage_table(staged.stage_origin(candidate, origin), ROWS, rows)


def origin_of(candidate: Candidate) -> tuple[DetectorSpec, RecalibrationOrigin]:
    """The detector as it was when the recalibration started, and the recalibration's origin."""
    origin = staged.staged_origin(candidate, RecalibrationOrigin)
    return DetectorSpec.model_validate(origin.spec), origin


def rows_of(candidate: Candidate) -> pd.DataFrame:
    """The rows of the window."""
    return staged.staged_table(candidate, ROWS)


def trained_until(bundle: Bundle) -> date:
    """The last day that the network of `bundle` may have been trained on.

    Raises:
        DataError: its description does not say.
    """
    lineage, known = bundle.description.lineage, bundle.description.provenance.data
    if lineage is not None:
        return lineage.trained_until
    if "last_day" not in known:
        msg = (
            f"{bundle.folder}: does not say until when its network was trained, so it is unknown "
            "which days are new to it; train a version with the train DAG."
        )
        raise DataError(msg)
    return date.fromisoformat(str(known["last_day"]))


def anchor_of(bundle: Bundle) -> Anchor:
    """The anchor from which the moves of this bundle's threshold are measured."""
    lineage = bundle.description.lineage
    if lineage is not None:
        return Anchor(
            lineage.anchor_threshold, lineage.anchor_level, lineage.anchor_day, lineage.moved
        )
    day, quantiles = trained_until(bundle), bundle.description.calibration.quantiles
    return Anchor(bundle.threshold, quantiles["0.5"], day, moved=day)


def lineage_of(
    bundle: Bundle, origin: RecalibrationOrigin, anchor: Anchor, counts: dict[str, int]
) -> Lineage:
    """The lineage of a recalibration of `bundle`."""
    parent = bundle.description.lineage
    return Lineage(
        weights_of=parent.weights_of if parent else origin.window.drawn_from,
        drawn_from=origin.window.drawn_from,
        trained_until=trained_until(bundle),
        anchor_threshold=anchor.threshold,
        anchor_level=anchor.level,
        anchor_day=anchor.day,
        moved=anchor.moved,
        counts=counts,
    )
