"""`<detector>__rollback`: back to a version that was good before, and its days scored again."""

from __future__ import annotations

from airflow.sdk import DAG, Param, TriggerRule, get_current_context, task

from dags.context import Handed, leave_mlflow_page, this_run
from dags.defaults import PROMOTION_POOL, SIGNING_QUEUE, SPAN_OF_GROUP, detector_dag
from pipeline.config import DetectorSpec

DOC = """
### Take the live version of **{name}** back

By hand, or by the score DAG when a fresh promotion misbehaves ({watch}).

1. `check` asks whether the target may go live: it exists, loads, reads features that the tables
   have, and was live before or passed its gate.
2. `move` writes the ledger, which makes it live, and lets the alias `champion` follow, under the
   promotion lock. Weights and threshold go back together, as a version holds both.
3. `plan` puts the days that the bad version scored into groups, and `rescore` scores each group
   again, as many at once as there are workers. Incidents that it raised, and the target does not,
   are marked as withdrawn.
4. `finish` sees that no day is left, and tags the rollback as done.

#### To trigger it

* `target`: `previous`, or a version number. `previous` is what was live before the live version,
  without versions that were rolled back. Such a version comes back by its number only.
* `reason`: one sentence. It stands in the ledger and on the version that has to go.

A run that dies half-way may be triggered again: it finishes what was begun and goes back no
further.
"""


@task
def check(detector: str, *, params: Handed = None) -> Handed:
    """May the champion be rolled back to the target? Nothing changes yet."""
    from pipeline.steps.going_live import rollback

    checked = rollback.check(
        detector,
        target=params["target"],
        reason=params["reason"],
        who=_who(params),
        only_if_live=int(params["only_if_live"]) if params["only_if_live"] else None,
    )
    leave_mlflow_page(checked["page"])
    return checked


@task(pool=PROMOTION_POOL, queue=SIGNING_QUEUE)
def move(checked: Handed) -> Handed:
    """Write the ledger, which makes the target live; let `champion` point to it."""
    from pipeline.steps.going_live import rollback

    return rollback.move(checked)


@task
def plan(moved: Handed) -> Handed:
    """The days of the bad version, in groups."""
    from pipeline.steps.going_live import rollback

    return rollback.plan(moved)


@task(map_index_template=SPAN_OF_GROUP)
def rescore(detector: str, version: int, days: list[str]) -> Handed:
    """Score the days of a group again; withdraw the incidents that the bad version raised."""
    from pipeline.steps.going_live import rollback

    return rollback.rescore(detector, version, days, run=this_run())


@task(trigger_rule=TriggerRule.NONE_FAILED)
def finish(moved: Handed) -> Handed:
    """Score what is left, as a rule nothing, and tag the rollback as done."""
    from pipeline.steps.going_live import rollback

    return rollback.finish(moved, run=this_run())


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
                description="Move nothing unless this version is live; empty: whichever is.",
            ),
            "who": Param(
                None,
                type=["null", "string"],
                description="Who wants it, where that is no person. Empty: the user who triggers.",
            ),
        },
    ) as dag:
        moved = move(check(spec.name))
        rescore.expand_kwargs(plan(moved)) >> finish(moved)
    return dag


def _who(params: Handed) -> str:
    """Who wants it, and in which run, for the ledger."""
    user = get_current_context()["dag_run"].triggering_user_name
    # A name that somebody fills in is not the one who triggers, and the ledger says both.
    named = f"{params['who']} (triggered by {user or 'no person'})" if params["who"] else user
    return f"{named} in {this_run()}" if named else this_run()
