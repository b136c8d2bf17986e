"""`<detector>__ingest`: one UTC day of data from the source to validated telemetry.

One DAG for each detector file. A day is a partition: scheduled runs, backfills and manual runs all
carry it, so a rerun replaces exactly that day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronPartitionTimetable

from dags import assets
from dags.context import BACKFILL, TaskValue, day_of_this_run, started_by_backfill, this_run
from dags.defaults import detector_dag, last_tick
from dags.tasks import task
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.shell import this_shell

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.ingestion import IngestionCounts
    from pipeline.store.staged import Staged

DOC = """
### One day of **{name}**, from the source to validated telemetry

{description}

1. `fetch` reads exactly [day, day + 1) from the source.
2. `validate` checks it against the contract in `detectors/{name}.yaml`: each row, then the day.
3. `write` replaces the day in the table `telemetry`, puts rejected rows in `quarantine` with the
   rule that rejected them, beside the cells of sensors that failed alone, and records the attempt
   in `ingestions`. `{name}__score` then scores the day.

The same input again changes nothing; changed input makes a new table version, and the difference is
recorded.

#### To run it by hand

* **One day**: Trigger, Advanced Options, Partition Key `2014-05-01`.
* **Many days, one run each**: Trigger, Backfill{backfill}.
* **First load, one run for all**: use `{name}__load`.

#### When `write` is red

The day was blocked: the log names the rule, and the rows are in `quarantine`. The data are at
fault, so nothing is retried. Fix the source and clear the run, or run the day again.
"""


@task()
def fetch(detector: str) -> Payload[Staged]:
    """Read this run's day from the source into the staging area."""
    from pipeline.steps import ingestion

    return ingestion.fetch(settings.load(), detector, [day_of_this_run()], run=this_run())


@task()
def validate(staged: Payload[Staged]) -> Payload[Staged]:
    """Check the contract; sort rows into accepted and rejected."""
    from pipeline.steps import ingestion

    return ingestion.validate(settings.load(), staged, run=this_run())


@task()
def write(
    detector: str, staged: Payload[Staged], *, outlet_events: TaskValue = None
) -> IngestionCounts:
    """Replace the day in the tables and record the attempt; red when the day is blocked."""
    from pipeline.steps import ingestion

    if started_by_backfill():
        outlet_events[assets.telemetry(detector)].extra = {BACKFILL: True}
    return ingestion.write(settings.load(), staged, run=this_run())


def _backfill(spec: DetectorSpec) -> str:
    """The command that backfills the first month; empty where no command reaches Airflow."""
    first = spec.schedule.start
    span = ("--from-date", str(first), "--to-date", str(first + timedelta(days=30)))
    typed = this_shell(settings.load()).in_airflow(
        "backfill", "create", "--dag-id", f"{spec.name}__ingest", *span
    )
    return f"; or\n  `{typed}`" if typed else ""


def ingest_dag(spec: DetectorSpec) -> DAG:
    """The ingestion DAG of one detector."""
    with detector_dag(
        spec,
        "ingest",
        # A midnight tick ingests the day before it: key 2014-05-01 runs at 2014-05-02 00:00.
        schedule=CronPartitionTimetable(
            "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"
        ),
        end_date=last_tick(spec),
        max_active_runs=4,
        doc_md=DOC.format(name=spec.name, description=spec.description, backfill=_backfill(spec)),
    ) as dag:
        write.override(outlets=[assets.telemetry(spec.name)])(spec.name, validate(fetch(spec.name)))
    return dag
