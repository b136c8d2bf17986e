"""`<detector>__ingest`: one UTC day of data from the source to validated telemetry.

One DAG for each detector file. A day is a partition: scheduled runs, backfills and manual runs all
carry it, so a rerun replaces exactly that day.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronPartitionTimetable, task

from dags import assets, forms
from dags.context import (
    BACKFILL,
    Handed,
    by_month,
    days_of_this_run,
    is_range,
    started_by_backfill,
    this_run,
)
from dags.defaults import detector_dag, last_tick
from dags.detector_files import readable_detectors
from pipeline.config import DetectorSpec

DOC = """
### One day of **{name}**, from the source to validated telemetry

{description}

1. `fetch` reads exactly [day, day + 1) from the source.
2. `validate` holds it against the contract in `detectors/{name}.yaml`: each row, then the day.
3. `write` replaces the day in the table `telemetry`, puts rejected rows in `quarantine` with the
   rule that rejected them, and records the attempt in `ingestions`. The day then goes on to
   `{name}__score`.
4. `score_range` is for ranges only: it scores them month by month, with the live version.

The same input twice changes nothing; changed input makes a new table version and a recorded
difference.

#### To run it by hand

* **One day**: Trigger, Advanced Options, Partition Key `2014-05-01`.
* **Many days, one run each**: Trigger, Backfill; or
  `airflow backfill create --dag-id {name}__ingest --from-date 2014-05-01 --to-date 2014-05-31`.
* **First load, one run for all**: Trigger with `from_day` and `to_day`.

#### When `write` (in a range: `score_range`) is red

A day was blocked: the log names the rule, and the rows are in `quarantine`. The data are at
fault, so nothing is retried. Mend the source and clear the run, or run the day again.
"""


@task
def fetch(detector: str) -> Handed:
    """Read this run's days from the source into the staging area."""
    from pipeline.steps import ingestion

    return ingestion.fetch(detector, days_of_this_run(), run=this_run())


@task
def validate(staged: Handed) -> Handed:
    """Check the contract; sort rows into accepted and rejected."""
    from pipeline.steps import ingestion

    return ingestion.validate(staged, run=this_run())


@task
def write(detector: str, staged: Handed, *, outlet_events: Handed = None) -> Handed:
    """Replace the days in the tables and record the attempt; red when the day is blocked.

    Returns the months of a range, which `score_range` scores; nothing for a single day, which its
    asset event hands to the score DAG.
    """
    from pipeline.steps import ingestion

    if is_range():
        ingestion.write(staged, run=this_run(), refuse=False)
        return by_month(days_of_this_run())
    if started_by_backfill():
        outlet_events[assets.telemetry(detector)].extra = {BACKFILL: True}
    ingestion.write(staged, run=this_run())
    return []


@task(map_index_template="{{ days[0] }} to {{ days[-1] }}")
def score_range(detector: str, days: list[str]) -> Handed:
    """Score one month of a range; red when a day of it is blocked."""
    from pipeline.steps import ingestion
    from pipeline.steps.operation import scoring

    outcome = scoring.score_days(detector, days, run=this_run())
    ingestion.refuse_blocked(detector, days)
    return outcome


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
        doc_md=DOC.format(name=spec.name, description=spec.description),
        params=forms.day_range("loads and scores"),
    ) as dag:
        months = write.override(outlets=[assets.telemetry(spec.name)])(
            spec.name, validate(fetch(spec.name))
        )
        score_range.partial(detector=spec.name).expand(days=months)
    return dag


for _spec in readable_detectors():
    globals()[f"{_spec.name}__ingest"] = ingest_dag(_spec)
