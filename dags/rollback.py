"""`<detector>__rollback`: back to an earlier version, and the days since scored again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, TriggerRule, get_current_context

from dags.context import TaskValue, this_run, with_mlflow_page
from dags.defaults import PROMOTION_POOL, SIGNING_QUEUE, SPAN_OF_GROUP, detector_dag
from dags.tasks import in_order, task
from pipeline import settings
from pipeline.config import DetectorSpec

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.rollback import (
        FinishedRollback,
        RescoreGroup,
        RollbackPlan,
        RollbackResult,
    )
    from pipeline.steps.scoring import ScoringOutcome

DOC = """
### Roll the live version of **{name}** back

By hand, or by the score DAG when a new promotion leaves its limits ({watch}).

1. `validate_target` checks whether the target may go live: it exists, loads, needs only features
   that the tables have, and was live before or passed its gate.
2. `set_champion` writes the ledger, which makes it live, and moves the alias `champion`, under the
   promotion lock. Weights and threshold go back together, as a version holds both.
3. `plan_rescore` groups the days that the bad version scored, and `rescore` scores the groups
   again, in parallel. Incidents that it raised, and the target does not, are marked as withdrawn.
4. `close` checks that no day is left, and tags the rollback as done.

#### To trigger it

* `target`: `previous`, or a version number. `previous` is the version that was live before, without
  versions that were rolled back. Such a version can only be named by its number.
* `reason`: one sentence, for the ledger and the version that is rolled back.

An interrupted run may be triggered again: it completes the rollback and does not go back further.
"""


@task()
def validate_target(detector: str, *, params: TaskValue = None) -> Payload[RollbackPlan]:
    """Check whether the champion may be rolled back to the target; change nothing yet."""
    from pipeline.steps import rollback

    return with_mlflow_page(
        rollback.validate_target(
            settings.load(),
            detector,
            target=params["target"],
            reason=params["reason"],
            who=_who(params),
            only_if_live=int(params["only_if_live"]) if params["only_if_live"] else None,
        )
    )


@task(pool=PROMOTION_POOL, queue=SIGNING_QUEUE)
def set_champion(
    checked: Payload[RollbackPlan], *, params: TaskValue = None
) -> Payload[RollbackResult]:
    """Write the ledger, which makes the target live, and move `champion` to it."""
    from pipeline.steps import rollback

    return rollback.set_champion(
        settings.load(), checked, target=params["target"], reason=params["reason"], who=_who(params)
    )


@task()
def plan_rescore(moved: Payload[RollbackResult]) -> list[RescoreGroup]:
    """Group the days of the bad version."""
    from pipeline.steps import rollback

    return rollback.plan_rescore(settings.load(), moved)


@task(map_index_template=SPAN_OF_GROUP)
def rescore(detector: str, version: int, days: list[str]) -> ScoringOutcome:
    """Score the days of a group again; withdraw the incidents that the bad version raised."""
    from pipeline.steps import rollback

    return rollback.rescore(settings.load(), detector, version, days, run=this_run())


@task(trigger_rule=TriggerRule.NONE_FAILED)
def close(moved: Payload[RollbackResult]) -> Payload[FinishedRollback]:
    """Score any days that are left, and tag the rollback as done."""
    from pipeline.steps import rollback

    return rollback.close(settings.load(), moved, run=this_run())


def rollback_dag(spec: DetectorSpec) -> DAG:
    """The rollback DAG of one detector."""
    watched = f"watched for {spec.promotion.watch_days} days"
    with detector_dag(
        spec,
        "rollback",
        schedule=None,
        max_active_runs=1,
        doc_md=DOC.format(
            name=spec.name, watch=watched if spec.promotion.watch_partitions else "not watched"
        ),
        params={
            "target": Param(
                "previous",
                type="string",
                pattern=r"^(previous|[1-9][0-9]*)$",
                description="`previous`, or the number of a version.",
            ),
            "reason": Param(
                type="string", minLength=1, description="One sentence, for the ledger."
            ),
            "only_if_live": Param(
                None,
                type=["null", "integer", "string"],
                description="Move nothing unless this version is live; empty: any version.",
            ),
            "who": Param(
                None,
                type=["null", "string"],
                description="The author, if not a person. Empty: the user who triggers.",
            ),
        },
    ) as dag:
        moved = set_champion(validate_target(spec.name))
        in_order(rescore.expand_kwargs(plan_rescore(moved)), close(moved))
    return dag


def _who(params: TaskValue) -> str:
    """The author and the run, for the ledger."""
    user = get_current_context()["dag_run"].triggering_user_name
    # A name from the form is not the user who triggers, and the ledger has both.
    named = f"{params['who']} (triggered by {user or 'nobody'})" if params["who"] else user
    return f"{named} in {this_run()}" if named else this_run()
