"""What a job tells: its events, and the datasets that it has read and written so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

MODELS = "mlflow"
"""The namespace of registered models."""

State = Literal["START", "COMPLETE", "FAIL"]
Verb = Literal["ingest", "train", "gate", "recalibrate", "promote", "rollback", "score"]


@dataclass(frozen=True)
class Dataset:
    """One dataset, named as OpenLineage names datasets.

    Attributes:
        namespace: where it lives: `file`, `s3://bucket`, `mlflow`.
        name: its path, without the namespace.
        version: of the table or model; empty where it has none.
        rows: number of rows written, over all commits of the job; None where unknown.
    """

    namespace: str
    name: str
    version: str = ""
    rows: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The identity of the dataset, without its version."""
        return self.namespace, self.name


@dataclass
class Journal:
    """The datasets of one job; the newest version of each that the job has seen."""

    read: dict[tuple[str, str], Dataset] = field(default_factory=dict)
    written: dict[tuple[str, str], Dataset] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Dataset, ...]:
        """The datasets that were read; not those that the job only compared with its own output."""
        return tuple(self.read[key] for key in sorted(self.read) if key not in self.written)

    @property
    def outputs(self) -> tuple[Dataset, ...]:
        """The datasets that were written."""
        return tuple(self.written[key] for key in sorted(self.written))


_CURRENT: ContextVar[Journal | None] = ContextVar("plimsoll_lineage_journal", default=None)


@contextmanager
def kept() -> Iterator[Journal]:
    """A journal of all reads and writes inside the context."""
    journal = Journal()
    token = _CURRENT.set(journal)
    try:
        yield journal
    finally:
        _CURRENT.reset(token)


def note_read(uri: str, *, version: int | None = None) -> None:
    """Note that the running job reads `uri`; nothing happens outside of a job."""
    if journal := _CURRENT.get():
        found = dataset_at(uri, version)
        journal.read[found.key] = found


def note_written(uri: str, *, version: int | None = None, rows: int | None = None) -> None:
    """Note that the running job has made `version` of `uri` with `rows` more rows."""
    if journal := _CURRENT.get():
        _wrote(journal, replace(dataset_at(uri, version), rows=rows))


def note_model(detector: str, version: int, *, alias: str = "", written: bool = False) -> None:
    """Note that the job reads or writes a registered version, or lets `alias` point to it."""
    if journal := _CURRENT.get():
        name = f"models:/{detector}@{alias}" if alias else f"models:/{detector}"
        found = Dataset(MODELS, name, str(version))
        if written:
            _wrote(journal, found)
        else:
            journal.read[found.key] = found


def dataset_at(uri: str, version: int | None = None) -> Dataset:
    """The dataset of a local path or a URI, without what a URI says about users and passwords."""
    shown = "" if version is None else str(version)
    parts = urlsplit(uri)
    if not parts.scheme or parts.scheme == "file":
        return Dataset("file", str(Path(parts.path or uri).absolute()), shown)
    host = parts.netloc.rpartition("@")[2]
    return Dataset(f"{parts.scheme}://{host}", parts.path.strip("/"), shown)


def _wrote(journal: Journal, new: Dataset) -> None:
    before = journal.written.get(new.key)
    if before is not None and before.rows is not None and new.rows is not None:
        new = replace(new, rows=before.rows + new.rows)
    journal.written[new.key] = new


@dataclass(frozen=True)
class JobEvent:
    """One event, before it is one of OpenLineage's.

    Attributes:
        state: what the run did.
        at: when it happened.
        attempt: id of the run, a UUID; another one for each attempt.
        detector: whose job it is.
        verb: the job.
        run: the DAG run, `dag/run`, that this run is part of; empty where there is none.
        partition: as in the log.
        inputs: datasets read.
        outputs: datasets written.
        error: what went wrong; empty unless it did.
    """

    state: State
    at: datetime
    attempt: str
    detector: str
    verb: Verb
    run: str
    partition: str
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    error: str = ""
