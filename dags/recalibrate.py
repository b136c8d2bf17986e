"""`<detector>__recalibrate`: a new threshold from a rolling window, with the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, AssetOrTimeSchedule, CronDataIntervalTimetable, Param
from airflow.sdk.exceptions import AirflowFailException

from dags import assets, forms
from dags.context import (
    TaskValue,
    as_of_day,
    leave_mlflow_page,
    skip,
    started_by_schedule,
    this_run,
    with_mlflow_page,
)
from dags.defaults import detector_dag, last_tick
from dags.going_live import PROMOTE_FROM_BACKFILL, go_live
from dags.tasks import in_order, task
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.errors import NothingLive

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.candidate import Candidate, JudgedCandidate
    from pipeline.steps.labelling import AuditCounts
    from pipeline.steps.origin import Acceptance

DOC = """
### Recalibration of **{name}**: same network, new threshold

Machines change slowly, so a fixed threshold raises too many alerts or too few. But a threshold that
follows whatever the model calls normal would hide a fault. So, each month:

1. `audit` samples {share} of the flagged episodes and asks for their labels.
2. `window` reads the last {days} scored days before the as-of day that the network was not trained
   on, with the labels made before that day.
3. `recalibrate` leaves incidents out, holds back episodes that last longer than normal rows ever
   stay above a threshold, and estimates the threshold on the rest.
4. `gate` compares it with the live threshold and stops at bounds: {step} in one step beyond what
   chance explains, {total} since the training, and steady growth month by month.
5. `promote` makes it live as a new version, under a lock, and writes the ledger. The version before
   it is `previous`.

It runs monthly, by hand, and when the score DAG asks for it because the threshold is stale.

#### How to read a run

* **Green `promote`**: the new threshold is live. It is estimated every month, also when it hardly
  moves: the card says how far, and whether chance alone may explain it.
* **Pink (skipped) `window`**: the live version is too new to recalibrate and its threshold stays;
  or nothing was live yet when the schedule started the run.
* **Pink (skipped) `promote`**: a check failed, and the live version did not change. The card names
  the value, the limit and the fix. Held episodes are listed with their times: label them, and run
  again.

#### When a bound stops it and the move is right

Trigger with `accept_beyond_bounds` and a reason. Your name and the reason go into the ledger, and
moves are counted from the new threshold on. Approval by a person as well: **{approval}**. A
backfill recalibrates and judges but does not promote, unless `promote_from_backfill` is set.
"""


@task()
def audit(detector: str) -> AuditCounts:
    """Sample flagged episodes of the window, and ask for their labels."""
    from pipeline.steps import recalibrating

    return recalibrating.audit(settings.load(), detector, as_of_day(), run=this_run())


@task()
def window(detector: str, *, params: TaskValue = None) -> Payload[Candidate]:
    """Stage the scored rows of the rolling window, with the labels known by then."""
    from pipeline.steps import recalibrating

    try:
        outcome = recalibrating.window(
            settings.load(), detector, as_of_day(), acceptance=_acceptance(params)
        )
    except NothingLive as error:
        if not started_by_schedule():
            raise
        skip("not_recalibrated", str(error))
    if isinstance(outcome, recalibrating.NotDue):
        skip("not_recalibrated", outcome.reason)
    return outcome


@task()
def recalibrate(candidate: Payload[Candidate]) -> Payload[Candidate]:
    """Estimate the new threshold and open the MLflow run."""
    from pipeline.steps import recalibrating

    return with_mlflow_page(recalibrating.recalibrate(settings.load(), candidate, run=this_run()))


@task()
def gate(candidate: Payload[Candidate]) -> Payload[JudgedCandidate]:
    """Run every check; register the version with its card, passed or rejected."""
    from pipeline.steps import gating

    judged = gating.gate(settings.load(), candidate, run=this_run())
    leave_mlflow_page(judged["candidate"]["page"])
    return judged


def recalibrate_dag(spec: DetectorSpec) -> DAG:
    """The recalibration DAG of one detector."""
    limits = spec.recalibration
    with detector_dag(
        spec,
        "recalibrate",
        schedule=AssetOrTimeSchedule(
            timetable=CronDataIntervalTimetable(spec.schedule.recalibrate, timezone="UTC"),
            assets=[assets.recalibration(spec.name)],
        ),
        end_date=last_tick(spec),
        max_active_runs=1,
        doc_md=DOC.format(
            name=spec.name,
            share=f"{limits.audit_share:.0%}",
            days=limits.window_days,
            step=f"{limits.maximum_step:.0%}",
            total=f"{limits.maximum_total:.0%}",
            approval=spec.promotion.approval,
        ),
        params=_params(),
    ) as dag:
        rows = window(spec.name)
        in_order(audit(spec.name), rows)
        go_live(spec, gate(recalibrate(rows)))
    return dag


def _params() -> dict[str, Param]:
    return {
        "as_of": forms.day(
            "Only days before this one are read, and only labels made before it. "
            "Empty: the end of the run's data interval; by hand tomorrow, so that today's labels "
            "count.",
        ),
        "accept_beyond_bounds": Param(
            default=False,
            type="boolean",
            description="Let the threshold go live although a bound was crossed; needs a reason.",
        ),
        "reason": Param(
            None,
            type=["null", "string"],
            description="Why the move is right; goes into the ledger with your name.",
        ),
        **PROMOTE_FROM_BACKFILL,
    }


def _acceptance(params: TaskValue) -> Acceptance | None:
    """The person who accepts a crossed bound, and the reason; None where nobody does."""
    if not params["accept_beyond_bounds"]:
        return None
    from pipeline.steps.origin import Acceptance

    if not (params["reason"] or "").strip():
        msg = "accept_beyond_bounds needs a reason, one sentence; it goes into the ledger."
        raise AirflowFailException(msg)
    return Acceptance(forms.triggered_by(), params["reason"].strip())
