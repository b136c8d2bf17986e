"""A candidate under construction: what one task passes to the next, and where files are staged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline import staging
from pipeline.config import DetectorSpec, find_detector, load_detector
from pipeline.detector.bundle.lineage import BundleKind
from pipeline.errors import DataError
from pipeline.settings import Deployment

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
        kind: whether it is trained, or recalibrated: the champion's weights with another threshold.
        weights_of: the version whose weights it has; None where they are its own.
        sums: SHA-256 of each staged file that a later task reads, by its path under `uri`. The
            files lie in the lake, where every worker may write; this lies in Airflow's database.
    """

    detector: str
    name: str
    uri: str
    run_id: str = ""
    page: str = ""
    kind: BundleKind = "trained"
    weights_of: int | None = None
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


def stage_json(candidate: Candidate, path: str, content: dict[str, Any]) -> Candidate:
    """The candidate with `content` as its JSON file at `path`."""
    return _with_file(candidate, path, staging.write_json(_uri(candidate, path), content))


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
