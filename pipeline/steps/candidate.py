"""A candidate under construction: what one task passes to the next, and where files are staged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline import staging
from pipeline.config import DetectorSpec, find_detector, load_detector
from pipeline.detector.bundle.lineage import Start
from pipeline.errors import DataError
from pipeline.provenance import code_version
from pipeline.records import Record, from_json, to_json
from pipeline.settings import Deployment
from pipeline.store.training_window import WindowManifest

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

ORIGIN = "origin.json"


@dataclass(frozen=True)
class Candidate:
    """The handle of a candidate; everything larger lies under `uri`.

    Attributes:
        detector: its detector.
        name: as-of day and a digest of all that went into it: the same input, the same name.
        uri: where its folders are staged.
        run_id: its MLflow run, once it has one.
        page: the MLflow page that shows most about it by now.
        sums: SHA-256 of each staged file that a later task reads, by its path under `uri`. The
            files lie in the lake, where every worker may write; this lies in Airflow's database.
    """

    detector: str
    name: str
    uri: str
    run_id: str = ""
    page: str = ""
    sums: dict[str, str] = field(default_factory=dict)

    def folder(self, name: str) -> str:
        """URI of one of its folders."""
        return f"{self.uri}/{name}"


@dataclass(frozen=True)
class JudgedCandidate:
    """A candidate after its gate: the input of `promote` and of a person's approval.

    Attributes:
        candidate: its handle.
        version: its number in the registry.
        passed: whether it may go live.
        reason: one sentence.
        champion: the live version that it was compared with, or None.
        card: the promotion card, Markdown.
        bundle_sha256, evidence: for the ledger: what was judged, and on which evidence.
    """

    candidate: Candidate
    version: int
    passed: bool
    reason: str
    champion: int | None
    card: str
    bundle_sha256: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class TrainingOrigin:
    """The inputs of a candidate, pinned when it starts: later edits of the file change nothing.

    Attributes:
        spec: the detector file's content.
        window: the rows.
        code: the commit that fits it.
        start: the version whose weights a fine-tuning starts from; None for new weights.
    """

    spec: dict[str, Any]
    window: WindowManifest
    code: str
    start: Start | None = None


def name_candidate(origin: TrainingOrigin) -> str:
    """A name that two candidates share only if all their input is the same."""
    content = json.dumps(to_json(origin), sort_keys=True).encode()
    return f"{origin.window.as_of}-{hashlib.sha256(content).hexdigest()[:8]}"


def stage_origin(candidate: Candidate, origin: object) -> Candidate:
    """The candidate, with its origin staged beside its folders."""
    return _with_file(
        candidate, ORIGIN, staging.write_json(_uri(candidate, ORIGIN), to_json(origin))
    )


def origin_of(candidate: Candidate) -> tuple[DetectorSpec, WindowManifest]:
    """The detector as it was when the candidate started, and its training window."""
    origin = staged_origin(candidate, TrainingOrigin)
    return DetectorSpec.model_validate(origin.spec), origin.window


def start_of(candidate: Candidate) -> Start | None:
    """The version that a fine-tuned candidate starts from; None where its weights are new."""
    return staged_origin(candidate, TrainingOrigin).start


def staged_origin(candidate: Candidate, kind: type[Record]) -> Record:
    """The origin that `stage_origin` staged, read as a `kind`."""
    return from_json(kind, staged_json(candidate, ORIGIN))


def stage_folder(candidate: Candidate, name: str, folder: Path) -> Candidate:
    """The candidate with the files of `folder` as its folder `name`, replacing earlier ones."""
    written = staging.push(folder, candidate.folder(name))
    others = {path: each for path, each in candidate.sums.items() if not _is_in(path, name)}
    return replace(candidate, sums=others | {f"{name}/{path}": s for path, s in written.items()})


@contextmanager
def pulled(candidate: Candidate, name: str) -> Iterator[Path]:
    """A local copy of the folder `name`, as the task that made it left it.

    Raises:
        DataError: it is gone, or changed since.
    """
    written = {
        path.removeprefix(f"{name}/"): each
        for path, each in candidate.sums.items()
        if _is_in(path, name)
    }
    if not written:
        raise DataError(_unbound(candidate, name))
    with staging.pulled(candidate.folder(name), written) as folder:
        yield folder


def stage_table(candidate: Candidate, path: str, frame: pd.DataFrame) -> Candidate:
    """The candidate with the rows of `frame` at `path`."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return _with_file(candidate, path, staging.write_table(_uri(candidate, path), table))


def staged_table(candidate: Candidate, path: str) -> pd.DataFrame:
    """The rows that `stage_table` left at `path`.

    Raises:
        DataError: they are gone, or changed since.
    """
    written = staging.read_table(_uri(candidate, path), sha256=_sum(candidate, path))
    rows: pd.DataFrame = written.to_pandas()
    return rows


def staged_json(candidate: Candidate, path: str) -> Any:
    """The JSON file at `path`.

    Raises:
        DataError: it is gone, or changed since.
    """
    return staging.read_json(_uri(candidate, path), sha256=_sum(candidate, path))


def pin(spec: DetectorSpec, window: WindowManifest, start: Start | None = None) -> TrainingOrigin:
    """The origin of a candidate of `spec` on `window`, perhaps fine-tuned."""
    return TrainingOrigin(
        spec.model_dump(mode="json", by_alias=True), window, code_version(), start
    )


def uri_of(here: Deployment, detector: str, name: str) -> str:
    """The folder of a candidate's staged files."""
    return f"{candidates_of(here, detector)}/{name}"


def candidates_of(here: Deployment, detector: str) -> str:
    """The folder of a detector's candidates, one subfolder each."""
    return f"{here.storage.rstrip('/')}/{detector}/candidates"


def detector_named(
    here: Deployment, name: str, *, training_days: int | None = None
) -> DetectorSpec:
    """The detector file `name`, with the training window of this run where one is given.

    Raises:
        ConfigError: there is no such file (the message names the nearest), or it is wrong.
    """
    spec = load_detector(find_detector(here.detectors, name))
    if training_days is None:
        return spec
    return spec.model_copy(
        update={"split": spec.split.model_copy(update={"training_days": training_days})}
    )


def _uri(candidate: Candidate, path: str) -> str:
    return f"{candidate.uri}/{path}"


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _with_file(candidate: Candidate, path: str, sha256: str) -> Candidate:
    return replace(candidate, sums=candidate.sums | {path: sha256})


def _sum(candidate: Candidate, path: str) -> str:
    if path not in candidate.sums:
        raise DataError(_unbound(candidate, path))
    return candidate.sums[path]


def _unbound(candidate: Candidate, path: str) -> str:
    """The message for a file whose SHA-256 is not on record."""
    return (
        f"Candidate {candidate.name} of {candidate.detector} came without the SHA-256 of its "
        f"{path}: the task that makes it has not run, or ran in a release before this one. Clear "
        "the run from its first task on."
    )
