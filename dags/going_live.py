"""The end of every DAG that may promote: a person's approval, then `promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, TriggerRule
from airflow.sdk import task as airflow_task

from dags.approval import approval_of
from dags.context import TaskValue, skip, started_by_backfill, this_run, with_mlflow_page
from dags.defaults import PROMOTION_POOL, SIGNING_QUEUE
from dags.tasks import task
from pipeline import settings
from pipeline.config import DetectorSpec

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.candidate import JudgedCandidate
    from pipeline.steps.promotion import PromotionOutcome

_NOT_PROMOTED = "not_promoted"

PROMOTE_FROM_BACKFILL = {
    "promote_from_backfill": Param(
        default=False,
        type="boolean",
        description="Let a backfill move the champion; without effect on other runs.",
    ),
}


def go_live(spec: DetectorSpec, judged: Payload[JudgedCandidate]) -> None:
    """Promote the judged candidate, after a person's approval where the file asks for it."""
    promote(judged, _approval(spec, judged))


@task(pool=PROMOTION_POOL, queue=SIGNING_QUEUE, trigger_rule=TriggerRule.NONE_FAILED)
def promote(
    candidate: Payload[JudgedCandidate] | None, answer: str | None, *, params: TaskValue = None
) -> PromotionOutcome:
    """Promote a candidate that passed and, where required, was approved; else skip."""
    from pipeline.steps import promotion

    if candidate is None:
        skip(_NOT_PROMOTED, "There is no candidate; see the reason in the log of the skipped task.")
    if candidate["passed"] and not _may_promote(params):
        skip(
            _NOT_PROMOTED,
            "A backfill does not move the champion; set promote_from_backfill to allow it.",
        )
    outcome = with_mlflow_page(
        promotion.promote(settings.load(), candidate, answer=answer, run=this_run())
    )
    if not outcome["promoted"]:
        skip(_NOT_PROMOTED, outcome["reason"])
    return outcome


def _approval(spec: DetectorSpec, judged: Any) -> Any:
    """A person's answer, where the detector file asks for it and the candidate may go live."""
    if spec.promotion.approval == "none":
        return None

    @airflow_task.short_circuit(ignore_downstream_trigger_rules=False)
    def passed_gate(candidate: Any, *, params: TaskValue = None) -> bool:
        return bool(candidate["passed"]) and _may_promote(params)

    approve = approval_of(spec, gate=judged.operator.task_id)
    passed_gate(judged) >> approve
    return approve.output


def _may_promote(params: TaskValue) -> bool:
    return bool(params["promote_from_backfill"]) or not started_by_backfill()
