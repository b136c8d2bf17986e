"""`<detector>__housekeeping`: deletes versions and files that nothing needs, once a week."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from dags.context import TaskValue
from dags.defaults import PROMOTION_POOL, detector_dag, last_tick
from dags.tasks import in_order, task
from pipeline import settings
from pipeline.config import DetectorSpec

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.housekeeping import ClearedFiles, PrunedVersions
    from pipeline.store.upkeep import Tidied

DOC = """
### Remove versions and files that **{name}** no longer needs

1. `prune_versions` deletes registered versions, each by its number and under the promotion lock. It
   keeps the newest {versions}, every version with an alias, every version that was live or scored a
   day in the last {history} days, and every version whose network one of these has.
2. `clear_staging` deletes staged files that have not changed for {staged} days: of ingestion runs,
   and of candidates whose version is gone and whose run has ended.
3. `tidy_tables` compacts the small files of each table, and deletes files that the table has not
   used for more than {history} days. A version of `telemetry` that a registered version was trained
   on keeps all its files, however old.

#### To see what it would do

Trigger it with `dry_run`: each task's log and XCom list what would be removed, and nothing is.

#### When a task is red

`tidy_tables` refuses to touch `telemetry` as long as a registered version does not say what it
was trained on: the log names the version. In doubt nothing is deleted.
"""


@task(pool=PROMOTION_POOL)
def prune_versions(detector: str, *, params: TaskValue = None) -> PrunedVersions:
    """Delete registered versions that nothing needs."""
    from pipeline.steps import housekeeping

    return housekeeping.prune_versions(
        settings.load(), detector, now=datetime.now(UTC), dry_run=params["dry_run"]
    )


@task()
def clear_staging(detector: str, *, params: TaskValue = None) -> ClearedFiles:
    """Delete old staged files that nothing uses."""
    from pipeline.steps import housekeeping

    return housekeeping.clear_staging(
        settings.load(), detector, now=datetime.now(UTC), dry_run=params["dry_run"]
    )


@task()
def tidy_tables(detector: str, *, params: TaskValue = None) -> dict[str, Payload[Tidied]]:
    """Compact the tables; delete files that no needed version refers to."""
    from pipeline.steps import housekeeping

    return housekeeping.tidy_tables(
        settings.load(), detector, now=datetime.now(UTC), dry_run=params["dry_run"]
    )


def housekeeping_dag(spec: DetectorSpec) -> DAG:
    """The housekeeping DAG of one detector."""
    keeps = spec.housekeeping
    with detector_dag(
        spec,
        "housekeeping",
        schedule=CronDataIntervalTimetable(spec.schedule.housekeeping, timezone="UTC"),
        end_date=last_tick(spec),
        max_active_runs=1,
        doc_md=DOC.format(
            name=spec.name,
            versions=keeps.versions,
            history=keeps.history_days,
            staged=keeps.staged_days,
        ),
        params={
            "dry_run": Param(
                default=False,
                type="boolean",
                description="List what would be removed; remove nothing.",
            )
        },
    ) as dag:
        in_order(prune_versions(spec.name), clear_staging(spec.name), tidy_tables(spec.name))
    return dag
