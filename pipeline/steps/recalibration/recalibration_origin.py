"""A redrawn line on its way: what one task of a recalibration hands the next, and where it lies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.detector.bundle import Bundle
from pipeline.detector.lineage import Lineage
from pipeline.errors import DataError
from pipeline.recalibration import Anchor
from pipeline.records import to_json
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate

ROWS, RECALIBRATION = "rows/rows.parquet", "recalibration"
KIND = "recalibrated"


@dataclass(frozen=True)
class Acceptance:
    """A person lets a line go live beyond the bounds, and moves count from it."""

    who: str
    reason: str


@dataclass(frozen=True)
class RecalibrationWindow:
    """Where the rows of a rolling window came from; part of the bundle's provenance.

    Attributes:
        kind: `recalibrated`: how a reader tells it from the manifest of a training.
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
        drawn_from: version whose line is redrawn; the champion, or the one before it when the
            champion itself was drawn for this as-of day.
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
    """What a redrawn line is made of, pinned when it starts."""

    spec: dict[str, Any]
    window: RecalibrationWindow
    code: str
    acceptance: Acceptance | None


def name_of(origin: RecalibrationOrigin) -> str:
    """A name that two redrawn lines share only if all their input is the same."""
    content = {**to_json(origin), "window": given(origin.window)}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{origin.window.as_of}-redrawn-{digest[:8]}"


def given(window: RecalibrationWindow) -> dict[str, Any]:
    """What decides a redrawn line, and stays the same when a month is run again.

    Table versions and the champion do not decide it; the rows and the line that is redrawn do.
    """
    happened = {"telemetry_version", "rescored", "champion"}
    return {name: value for name, value in to_json(window).items() if name not in happened}


def stage(candidate: Candidate, origin: RecalibrationOrigin, rows: pd.DataFrame) -> Candidate:
    """The candidate with its origin and its rows kept beside its folders."""
    return staged.stage_table(staged.stage_origin(candidate, origin), ROWS, rows)


def origin_of(candidate: Candidate) -> tuple[DetectorSpec, RecalibrationOrigin]:
    """The detector as it was when the recalibration started, and all else that it is made of."""
    origin = staged.staged_origin(candidate, RecalibrationOrigin)
    return DetectorSpec.model_validate(origin.spec), origin


def rows_of(candidate: Candidate) -> pd.DataFrame:
    """The rows of the window."""
    return staged.staged_table(candidate, ROWS)


def trained_until(bundle: Bundle) -> date:
    """The last day that the network of `bundle` may have learnt from.

    Raises:
        DataError: its description does not say.
    """
    lineage, known = bundle.description.lineage, bundle.description.provenance.data
    if lineage is not None:
        return lineage.trained_until
    if "last_day" not in known:
        msg = (
            f"{bundle.folder}: does not say until when its network was trained, so nobody can tell "
            "which days it has never seen; train a version with the train DAG."
        )
        raise DataError(msg)
    return date.fromisoformat(str(known["last_day"]))


def anchor_of(bundle: Bundle) -> Anchor:
    """Where the moves of this bundle's line are measured from."""
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
    """The lineage of a line redrawn from that of `bundle`."""
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
