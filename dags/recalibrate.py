"""`<detector>__recalibrate`: a new threshold from a rolling window, with the same weights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    Param,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException

from dags import assets, forms
from dags.context import (
    TaskValue,
    as_of_day,
    leave_mlflow_page,
    request,
    skip,
    started_by_schedule,
    this_run,
)
from dags.defaults import detector_dag, last_tick
from dags.going_live import PROMOTE_FROM_BACKFILL, go_live
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.errors import NothingLive

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


@task
def audit(detector: str) -> TaskValue:
    """Sample flagged episodes of the window, and ask for their labels."""
    from pipeline.steps import recalibrating

    return recalibrating.audit(settings.load(), detector, _as_of(), run=this_run())


@task
def window(detector: str, *, params: TaskValue = None) -> TaskValue:
    """Stage the scored rows of the rolling window, with the labels known by then."""
    from pipeline.steps import recalibrating

    try:
        outcome = recalibrating.window(
            settings.load(), detector, _as_of(), acceptance=_acceptance(params)
        )
    except NothingLive as error:
        if not started_by_schedule():
            raise
        skip("not_recalibrated", str(error))
    if reason := outcome.get("skipped"):
        skip("not_recalibrated", reason)
    return outcome


@task
def recalibrate(candidate: TaskValue) -> TaskValue:
    """Estimate the new threshold and open the MLflow run."""
    from pipeline.steps import recalibrating

    return _shown(recalibrating.recalibrate(settings.load(), candidate, run=this_run()))


@task
def gate(candidate: TaskValue) -> TaskValue:
    """Run every check; register the version with its card, passed or rejected."""
    from pipeline.steps import recalibration_gate

    return _shown(recalibration_gate.gate(settings.load(), candidate, run=this_run()))


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
        audit(spec.name) >> rows
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


def _as_of() -> str:
    context = get_current_context()
    run: Any = context["dag_run"]
    asked = context["params"].get("as_of") or request().get("as_of")
    if run.run_type == "manual" and not asked and context.get("data_interval_end") is None:
        return str((run.run_after + timedelta(days=1)).date().isoformat())
    return as_of_day()


def _acceptance(params: TaskValue) -> TaskValue:
    """The person who accepts a crossed bound, and the reason; None where nobody does."""
    if not params["accept_beyond_bounds"]:
        return None
    from pipeline.steps.recalibration_origin import Acceptance

    if not (params["reason"] or "").strip():
        msg = "accept_beyond_bounds needs a reason, one sentence; it goes into the ledger."
        raise AirflowFailException(msg)
    return Acceptance(forms.triggered_by(), params["reason"].strip())


def _shown(candidate: dict[str, Any]) -> dict[str, Any]:
    leave_mlflow_page(candidate["page"])
    return candidate
