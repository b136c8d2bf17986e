"""OpenLineage run events, and the client that sends them."""

from __future__ import annotations

import functools
import logging
from datetime import date
from uuid import NAMESPACE_URL, uuid5

from openlineage.client import OpenLineageClient
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

from pipeline import settings
from pipeline.lineage.files import LineageFiles
from pipeline.lineage.job_event import JobEvent
from pipeline.lineage.journal import Dataset
from pipeline.utc_day import end_of, midnight

NAMESPACE = "plimsoll"
PRODUCER = "urn:plimsoll"


def emit(event: JobEvent) -> None:
    """Build the event and hand it to the transport; raises whatever the transport raises."""
    _client().emit(event_of(event))


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
def _client() -> OpenLineageClient:
    """A client with the transport that OpenLineage's own variables or file name; else with ours."""
    # It logs its transport at INFO: a line in the log of every task.
    logging.getLogger("openlineage.client.client").setLevel(logging.WARNING)
    ours = OpenLineageClient(transport=LineageFiles(settings.load().lineage))
    if ours.config.transport or settings.named("OPENLINEAGE_URL"):
        return OpenLineageClient()
    # It would add the repository's address from git, which may hold a password.
    ours.config.facets.source_code_location.disabled = True
    return ours
