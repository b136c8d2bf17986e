"""What a candidate is made from, pinned when it starts: later edits of the file change nothing.

A trained and a recalibrated candidate are named, staged and read back in the same way. They differ
in the rows they are made from, and in what a person or the champion brings to them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Generic, TypeVar

from pipeline.config import DetectorSpec
from pipeline.detector.bundle.lineage import BundleKind, Start
from pipeline.errors import DataError
from pipeline.provenance import code_version
from pipeline.records import from_json, to_json
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate
from pipeline.store.training_window import WindowManifest


@dataclass(frozen=True)
class TrainingInputs:
    """What a candidate is trained on.

    Attributes:
        window: the rows.
        start: the version whose weights a fine-tuning starts from; None for new weights.
    """

    kind: ClassVar[BundleKind] = "trained"
    incidental: ClassVar[frozenset[str]] = frozenset()

    window: WindowManifest
    start: Start | None = None


@dataclass(frozen=True)
class Acceptance:
    """A person lets a threshold go live beyond the bounds; later moves are measured from it."""

    who: str
    reason: str

    @property
    def text(self) -> str:
        """Both, as cards and MLflow show them."""
        return f"{self.who}: {self.reason}"


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

    kind: BundleKind
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
class RecalibrationInputs:
    """What a threshold is recalibrated on.

    Table versions and the champion do not decide it; the rows and the recalibrated version do.

    Attributes:
        window: the rows.
        acceptance: of a move beyond the bounds; None: nobody has accepted one.
        growth_accepted: who has called the growth since the accepted state normal; None: nobody.
    """

    kind: ClassVar[BundleKind] = "recalibrated"
    incidental: ClassVar[frozenset[str]] = frozenset({"telemetry_version", "rescored", "champion"})

    window: RecalibrationWindow
    acceptance: Acceptance | None = None
    growth_accepted: Acceptance | None = None


Inputs = TypeVar("Inputs", TrainingInputs, RecalibrationInputs)


@dataclass(frozen=True)
class Origin(Generic[Inputs]):
    """The inputs of a candidate.

    Attributes:
        spec: the detector file's content.
        code: the commit that makes it.
        inputs: its rows, and what else its kind is made from.
    """

    spec: dict[str, Any]
    code: str
    inputs: Inputs


def pin(spec: DetectorSpec, inputs: Inputs) -> Origin[Inputs]:
    """The origin of a candidate of `spec` that starts now."""
    return Origin(spec.model_dump(mode="json", by_alias=True), code_version(), inputs)


def name_candidate(origin: Origin[Inputs]) -> str:
    """A name that two candidates share only if all that decides them is the same."""
    inputs = origin.inputs
    content = to_json(origin)
    content["inputs"]["window"] = deciding(inputs)
    # Not sorted by key: features in another order make another network.
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
    known_by = "" if inputs.kind == "trained" else f"{inputs.kind}-"
    return f"{inputs.window.as_of}-{known_by}{digest}"


def deciding(inputs: TrainingInputs | RecalibrationInputs) -> dict[str, Any]:
    """What is known of the rows and is the same whenever the same candidate is made again."""
    window = to_json(inputs.window)
    return {name: value for name, value in window.items() if name not in inputs.incidental}


def start_candidate(
    here: Deployment, detector: str, origin: Origin[Inputs], *, weights_of: int | None = None
) -> Candidate:
    """A candidate with its origin staged; `weights_of` is the version whose weights it keeps."""
    name = name_candidate(origin)
    uri = staged.uri_of(here, detector, name)
    candidate = Candidate(detector, name, uri, kind=origin.inputs.kind, weights_of=weights_of)
    return staged.stage_json(candidate, staged.ORIGIN, to_json(origin))


def origin_of(candidate: Candidate, kind: type[Inputs]) -> tuple[DetectorSpec, Inputs]:
    """The detector as it was when the candidate started, and its inputs, which are a `kind`.

    Raises:
        DataError: the origin is gone, changed since, or of a release before this one.
    """
    held = staged.staged_json(candidate, staged.ORIGIN)
    if "inputs" not in held:
        msg = (
            f"Candidate {candidate.name} of {candidate.detector} was started in a release before "
            "this one. Clear the run from its first task on."
        )
        raise DataError(msg)
    return DetectorSpec.model_validate(held["spec"]), from_json(kind, held["inputs"])
