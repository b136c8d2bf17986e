"""`<detector>__load`: many days at once, in groups that run in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, TriggerRule, task_group

from dags.context import TaskValue, skip, this_run
from dags.defaults import SPAN_OF_GROUP, detector_dag
from dags.tasks import in_order, task
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.data.groups import Work

if TYPE_CHECKING:
    from pipeline.steps.drifting import DriftOutcome
    from pipeline.steps.ingestion import IngestionCounts
    from pipeline.steps.scoring import ScoringOutcome

_LOAD: Work = "load and score"
_AGAIN: Work = "score again"

DOC = """
### Many days of **{name}** at once: a first load, or a replay

1. `plan_groups` splits the range into groups of neighbouring days, each with half a minute of work
   or more and no more rows than one task can hold in memory.
2. `group.load` fetches and validates the days of one group and writes them to the tables, as
   `{name}__ingest` does for one day.
3. `group.score` scores them with the live version, if there is one.
4. `group.judge_drift` compares each day and the week up to it with what the live version remembers.

With `work` set to `{again}` every `group.load` is skipped: nothing is fetched.

Groups run in parallel and in any order; the tables are the same as if one run had loaded the days
one by one; only whether a channel that stands still all day has ever moved is known from the days
that are on record by then, so load the oldest days first where that matters. A day that has not
changed is left as it is. As with a backfill, no messages are sent
about past incidents, and drift opens no case and asks for nothing.

#### When `group.score` is red

A day of the group was blocked, or its rows could not be read: the log names the day and the rule or
the file, and the rows of a blocked day are in `quarantine`. The other days of the group are scored
and the other groups go on. The data are at fault, so nothing is retried. Fix the source, then clear
the group's `load` with its downstream tasks: it loads all its days again and replaces what changed.
Drift of the group is judged then.
"""


@task()
def plan_groups(detector: str, *, params: TaskValue = None) -> list[list[str]]:
    """Group the days."""
    from pipeline.steps import fan_out

    return fan_out.plan(
        settings.load(),
        detector,
        params["from_day"],
        params["to_day"],
        params["work"],
        days_a_group=params["days_a_group"],
    )


@task(map_index_template=SPAN_OF_GROUP)
def load(detector: str, days: list[str], *, params: TaskValue = None) -> IngestionCounts:
    """Load the days of a group from the source, unless only scoring is requested."""
    from pipeline.steps import ingestion

    if params["work"] == _AGAIN:
        skip("not_fetched", "Requested is only to score again.")
    return ingestion.load(settings.load(), detector, days, run=this_run())


@task(map_index_template=SPAN_OF_GROUP, trigger_rule=TriggerRule.NONE_FAILED)
def score(detector: str, days: list[str], *, params: TaskValue = None) -> ScoringOutcome:
    """Score the days of a group; red when a day was blocked or could not be read."""
    from pipeline.steps import ingestion, scoring

    outcome = scoring.score_days(settings.load(), detector, days, run=this_run())
    if params["work"] == _LOAD:
        ingestion.refuse_blocked(settings.load(), detector, days)
    if reason := outcome.get("skipped"):
        skip("not_scored", reason)
    return outcome


@task(map_index_template=SPAN_OF_GROUP)
def judge_drift(detector: str, days: list[str]) -> DriftOutcome:
    """Judge the days of a group and the weeks up to them."""
    from pipeline.steps import drifting

    outcome = drifting.judge_days(settings.load(), detector, days, run=this_run(), history=True)
    if reason := outcome.get("skipped"):
        skip("not_judged", reason)
    return outcome


@task_group
def group(detector: str, days: list[str]) -> None:
    """One group of days."""
    loaded, scored = load(detector, days=days), score(detector, days=days)
    in_order(loaded, scored, judge_drift(detector, days=days))


def load_dag(spec: DetectorSpec) -> DAG:
    """The loading DAG of one detector."""
    with detector_dag(
        spec,
        "load",
        schedule=None,
        # Two loads of the same days would redo each other's work; groups use the workers anyway.
        max_active_runs=1,
        doc_md=DOC.format(name=spec.name, again=_AGAIN),
        params=_params(),
    ) as dag:
        group.partial(detector=spec.name).expand(days=plan_groups(spec.name))
    return dag


def _params() -> dict[str, Param]:
    return {
        "from_day": Param(type="string", format="date", description="First day of the range."),
        "to_day": Param(type="string", format="date", description="Last day of it, included."),
        "work": Param(
            _LOAD,
            type="string",
            enum=[_LOAD, _AGAIN],
            description="Fetch the days from the source and score them, or only score the days "
            "in the tables again, with the version that is live now.",
        ),
        "days_a_group": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="Days per task. Empty: as many as give it half a minute of work. Fewer use "
            "more workers at once where the source is slow.",
        ),
    }
