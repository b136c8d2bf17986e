"""A candidate on its way: what one task hands the next, and where its files are staged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from pipeline import settings, staging
from pipeline.config import DetectorSpec, find_detector, load_detector
from pipeline.data.window import Manifest
from pipeline.detector.lineage import Start
from pipeline.provenance import code_version
from pipeline.records import from_json, to_json
from pipeline.settings import Settings

BLOCKS, START, FIT, BUNDLE, EVALUATION, DRIFT, GATE = (
    "blocks",
    "start",
    "fit",
    "bundle",
    "evaluation",
    "drift",
    "gate",
)
"""Folders of a candidate, each replaced whole by the one task that makes it."""


@dataclass(frozen=True)
class Candidate:
    """The handle of a candidate; everything larger lies under `uri`.

    Attributes:
        detector: its detector.
        name: as-of day and a digest of all that went into it: the same input, the same name.
        uri: where its folders are staged.
        run_id: its MLflow run, once it has one.
        page: the MLflow page that shows most about it by now.
    """

    detector: str
    name: str
    uri: str
    run_id: str = ""
    page: str = ""

    def folder(self, name: str) -> str:
        """URI of one of its folders."""
        return f"{self.uri}/{name}"

    def shown_at(self, page: str) -> Candidate:
        """The same candidate with another page."""
        return replace(self, page=page)


@dataclass(frozen=True)
class Origin:
    """What a candidate is made of, pinned when it starts: a file edited meanwhile changes nothing.

    Attributes:
        spec: the detector file's content.
        window: the rows.
        code: the commit that fits it.
        start: of a fine-tuning: the version whose weights it goes on from.
    """

    spec: dict[str, Any]
    window: Manifest
    code: str
    start: Start | None = None


def name_candidate(origin: Origin) -> str:
    """A name that two candidates share only if all their input is the same."""
    content = json.dumps(to_json(origin), sort_keys=True).encode()
    return f"{origin.window.as_of}-{hashlib.sha256(content).hexdigest()[:8]}"


def stage_origin(candidate: Candidate, origin: Origin) -> None:
    """Keep the origin beside the candidate's folders."""
    staging.write_json(f"{candidate.uri}/origin.json", to_json(origin))


def origin_of(candidate: Candidate) -> tuple[DetectorSpec, Manifest]:
    """The detector as it was when the candidate started, and its training window."""
    origin = from_json(Origin, staging.read_json(f"{candidate.uri}/origin.json"))
    return DetectorSpec.model_validate(origin.spec), origin.window


def start_of(candidate: Candidate) -> Start | None:
    """What a fine-tuned candidate goes on from; None where its weights are new."""
    return from_json(Origin, staging.read_json(f"{candidate.uri}/origin.json")).start


def pin(spec: DetectorSpec, window: Manifest, start: Start | None = None) -> Origin:
    """The origin of a candidate of `spec` on `window`, perhaps fine-tuned."""
    return Origin(spec.model_dump(mode="json", by_alias=True), window, code_version(), start)


def uri_of(here: Settings, detector: str, name: str) -> str:
    """Where a candidate is staged."""
    return f"{candidates_of(here, detector)}/{name}"


def candidates_of(here: Settings, detector: str) -> str:
    """Where the candidates of a detector are staged, one folder each."""
    return f"{here.storage.rstrip('/')}/{detector}/candidates"


def detector_named(name: str, *, training_days: int | None = None) -> DetectorSpec:
    """The detector file `name`, with the training window of this run where one is given.

    Raises:
        ConfigError: there is no such file (the message names the nearest), or it is wrong.
    """
    spec = load_detector(find_detector(settings.load().detectors, name))
    if training_days is None:
        return spec
    return spec.model_copy(
        update={"split": spec.split.model_copy(update={"training_days": training_days})}
    )
