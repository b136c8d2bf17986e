"""The end of every DAG that may promote: a person's approval, then `promote`."""

from __future__ import annotations

from airflow.sdk import Param, TriggerRule, task

from dags.approval import approval_of
from dags.context import TaskValue, leave_mlflow_page, skip, started_by_backfill, this_run
from dags.defaults import PROMOTION_POOL, SIGNING_QUEUE
from pipeline import settings
from pipeline.config import DetectorSpec

_NOT_PROMOTED = "not_promoted"

PROMOTE_FROM_BACKFILL = {
    "promote_from_backfill": Param(
        default=False,
        type="boolean",
        description="Let a backfill move the champion; without effect on other runs.",
    ),
}


def go_live(spec: DetectorSpec, judged: TaskValue) -> None:
    """Promote the judged candidate, after a person's approval where the file asks for it."""
    promote(judged, _approval(spec, judged))


@task(pool=PROMOTION_POOL, queue=SIGNING_QUEUE, trigger_rule=TriggerRule.NONE_FAILED)
def promote(candidate: TaskValue, answer: TaskValue, *, params: TaskValue = None) -> TaskValue:
    """Promote a candidate that passed and, where required, was approved; else skip."""
    from pipeline.steps import promotion

    if candidate is None:
        skip(_NOT_PROMOTED, "There is no candidate; see the reason in the log of the skipped task.")
    if candidate["passed"] and not _may_promote(params):
        skip(
            _NOT_PROMOTED,
            "A backfill does not move the champion; set promote_from_backfill to allow it.",
        )
    outcome = promotion.promote(settings.load(), candidate, answer=answer, run=this_run())
    leave_mlflow_page(outcome["page"])
    if not outcome["promoted"]:
        skip(_NOT_PROMOTED, outcome["reason"])
    return outcome


def _approval(spec: DetectorSpec, judged: TaskValue) -> TaskValue:
    """A person's answer, where the detector file asks for it and the candidate may go live."""
    if spec.promotion.approval == "none":
        return None

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def passed_gate(candidate: TaskValue, *, params: TaskValue = None) -> bool:
        return bool(candidate["passed"]) and _may_promote(params)

    approve = approval_of(spec)
    passed_gate(judged) >> approve
    return approve.output


def _may_promote(params: TaskValue) -> bool:
    return bool(params["promote_from_backfill"]) or not started_by_backfill()
