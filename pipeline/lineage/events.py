"""OpenLineage run events, the client that sends them, and the files that need no server.

`events.jsonl` holds one event for each line, as OpenLineage's own file transport writes them. When
it is full it becomes `events-<UTC time>.jsonl`, and of those the newest are kept, so that the
folder stays below `FILES_KEPT` x `FILE_BYTES` and a little. Any number of processes of one host may
write: a line is one write, under a lock. Two hosts need two folders.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from filelock import Timeout
from openlineage.client import OpenLineageClient
from openlineage.client.client import Event
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    parent_run,
)
from openlineage.client.serde import Serde
from openlineage.client.transport import Config, Transport

from pipeline import settings
from pipeline.file_lock import file_lock
from pipeline.lineage.journal import Dataset, JobEvent
from pipeline.utc_day import end_of, midnight

FILE_BYTES = 16 * 2**20
"""A file is full at this size; about 8,000 events."""

FILES_KEPT = 16
"""Full files that are kept: with the open one at most 272 MiB."""

_LOCK_S = 1.0  # longest wait for other writers; each needs a millisecond
_POLL_S = 0.005

NAMESPACE = "plimsoll"
PRODUCER = "urn:plimsoll"


class LineageFiles(Transport):
    """Appends events to the files of one folder."""

    kind = "plimsoll_files"
    config_class = Config

    def __init__(
        self, folder: Path, *, file_bytes: int = FILE_BYTES, files_kept: int = FILES_KEPT
    ) -> None:
        self.folder = folder
        self._file_bytes, self._files_kept = file_bytes, files_kept

    def emit(self, event: Event) -> None:
        """Append one line.

        Raises:
            OSError: the folder cannot be written, or other writers held it for a second.
        """
        self.append(Serde.to_json(event))

    def append(self, line: str) -> None:
        """Append `line`, which must not have a line break inside; as `emit`."""
        current = self.folder / "events.jsonl"
        with _locked(self.folder / ".lock"):
            if current.exists() and current.stat().st_size >= self._file_bytes:
                self._put_away(current)
            # One write to a file opened for appending, so that not even a reader sees half a line.
            opened = os.open(current, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(opened, f"{line}\n".encode())
            finally:
                os.close(opened)

    def _put_away(self, full: Path) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        full.rename(full.with_name(f"events-{stamp}.jsonl"))
        for old in sorted(self.folder.glob("events-*.jsonl"))[: -self._files_kept]:
            old.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the folder."""
    try:
        lock = file_lock(path, wait_s=_LOCK_S).acquire(poll_interval=_POLL_S)
    except Timeout:
        msg = f"{path}: other writers held it for {_LOCK_S:g} s"
        raise TimeoutError(msg) from None
    with lock:
        yield


def emit(event: JobEvent, files: Path) -> None:
    """Build the event and hand it to the transport; raises whatever the transport raises.

    That is the one of OpenLineage's own variables or file, else files in the folder `files`.
    """
    _client(files).emit(event_of(event))


def event_of(event: JobEvent) -> RunEvent:
    """The OpenLineage run event for `event`."""
    return RunEvent(
        eventTime=event.at.isoformat(),
        eventType=RunState[event.state],
        producer=PRODUCER,
        run=Run(event.attempt, _run_facets(event)),
        job=Job(
            NAMESPACE,
            f"{event.detector}.{event.verb}",
            {"jobType": job_type_job.JobTypeJobFacet("BATCH", "PLIMSOLL", "TASK")},
        ),
        inputs=[
            InputDataset(each.namespace, each.name, facets=_version(each)) for each in event.inputs
        ],
        outputs=[_output(each) for each in event.outputs],
    )


def parent_id(run: str) -> str:
    """The id of a DAG run: the same for all its tasks, wherever they run."""
    return str(uuid5(NAMESPACE_URL, f"{PRODUCER}:{run}"))


def _run_facets(event: JobEvent) -> dict[str, RunFacet]:
    facets: dict[str, RunFacet] = {}
    if event.run:
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(parent_id(event.run)),
            job=parent_run.Job(NAMESPACE, event.run.split("/", 1)[0]),
        )
    if event.partition:
        days = [date.fromisoformat(day) for day in event.partition.split("/")]
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=midnight(days[0]).isoformat(),
            nominalEndTime=end_of(days[-1]).isoformat(),
        )
    if event.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(event.error, "python")
    return facets


def _output(written: Dataset) -> OutputDataset:
    rows = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=written.rows
    )
    return OutputDataset(
        written.namespace,
        written.name,
        facets=_version(written),
        outputFacets={} if written.rows is None else {"outputStatistics": rows},
    )


def _version(of: Dataset) -> dict[str, DatasetFacet]:
    if not of.version:
        return {}
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(of.version)}


@functools.cache
def _client(files: Path) -> OpenLineageClient:
    """A client with the transport that OpenLineage's own variables or file name; else with ours."""
    # It logs its transport at INFO: a line in the log of every task.
    logging.getLogger("openlineage.client.client").setLevel(logging.WARNING)
    ours = OpenLineageClient(transport=LineageFiles(files))
    if ours.config.transport or settings.named("OPENLINEAGE_URL"):
        return OpenLineageClient()
    # It would add the repository's address from git, which may hold a password.
    ours.config.facets.source_code_location.disabled = True
    return ours
