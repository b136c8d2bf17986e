"""`<detector>__score`: scores one validated day with the live version, and acts on the result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    DAG,
    PartitionedAssetTimetable,
    TriggerRule,
    get_current_context,
    task_group,
)
from airflow.sdk import task as airflow_task

from dags import assets, forms
from dags.context import day_of_this_run, skip, started_by_backfill, this_run
from dags.defaults import detector_dag
from dags.notifiers import notifier_for
from dags.tasks import in_order, task
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.dag_ids import dag_id

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.drifting import DriftOutcome
    from pipeline.steps.scoring import ScoringOutcome
    from pipeline.steps.training_request import TrainingRequest

log = structlog.get_logger()

_ORDER = "rollback"
"""XCom key of the parameters for the rollback DAG."""

DOC = """
### Score one validated day of **{name}** with the live version

Runs automatically for each day that `{name}__ingest` has validated.

1. `score` writes the day's `scores` (the challenger's too, where one waits), groups flags into
   `incidents`, mutes channels that have left their training range, and carries open cases on.
2. `judge_drift` compares the day and the week up to it with the live version's reference rows, and
   with those of the last accepted state. A week whose scores rose beyond that state opens the case
   of a degradation; a backfill opens none.
3. `notify` sends one message for each new incident, for a new degradation and for a shift that has
   doubled, and once a week one about all open cases, by **{channel}**; none for a day older than
   {horizon} days. Where the threshold does not hold, one message says so in the place of single
   anomalies.
4. `check_promotion` checks whether a new promotion is inside its limits; if not,
   `trigger_rollback` starts `{name}__rollback`.
5. `decide_request` decides whether drift calls for training or recalibration, at most once in
   {cooldown} days for each; if so, `trigger_request` starts `{name}__ask`. A degradation asks for
   neither.

Steps 4 and 5 are the group `follow_up`. Steps 3 to 5 are skipped when a backfill loaded the day.

#### To run it by hand

Trigger, Advanced Options, Partition Key `2014-05-01`; on the command line, which has no such key,
the parameter `partition`. Many days at once: `{name}__load` with `score again`. A day whose rows
and version are unchanged is not scored again.
"""


@task()
def score(detector: str) -> ScoringOutcome:
    """Score this run's day with the champion, and with the challenger in shadow."""
    from pipeline.steps import scoring

    outcome = scoring.score_days(settings.load(), detector, [day_of_this_run()], run=this_run())
    if reason := outcome.get("skipped"):
        skip("not_scored", reason)
    return outcome


@airflow_task.short_circuit
def judge_drift(detector: str) -> DriftOutcome | None:
    """Judge the day and its week; a backfill ends here."""
    from pipeline.steps import drifting

    history = started_by_backfill()
    verdict = drifting.judge_days(
        settings.load(), detector, [day_of_this_run()], run=this_run(), history=history
    )
    return None if history else verdict


# A failed drift test must not prevent the message about an incident.
@task(trigger_rule=TriggerRule.ALL_DONE)
def notify(detector: str, scored: ScoringOutcome | None) -> int:
    """Send what is new, or that the threshold does not hold; weekly one message of open cases."""
    from pipeline.steps import notifying
    from pipeline.steps.candidate import detector_named

    if not scored:
        skip("nothing_to_tell", "The day was not scored.")
    here = settings.load()
    section = detector_named(here, detector).notify
    notices = notifying.due(here, detector, [day_of_this_run()], now=datetime.now(UTC))
    return notifying.send_notices(
        here,
        notices,
        lambda notice: notifier_for(section, notice).notify(get_current_context()),
        channel=section.channel,
        run=this_run(),
    )


@airflow_task.branch
def check_promotion(detector: str, *, tripped: str, otherwise: str) -> str:
    """The next task: `tripped` if the newest promotion is outside its limits, else `otherwise`.

    The drift verdict about a version that is rolled back is void.
    """
    from pipeline.steps import promotion_watch

    outcome = promotion_watch.watch(settings.load(), detector, day_of_this_run(), run=this_run())
    log.info("promotion_watched", **outcome)
    if not outcome["tripped"]:
        return otherwise
    order = {
        "target": "previous",
        "reason": outcome["reason"],
        "only_if_live": outcome["version"],
        "who": "the watch after the promotion",
    }
    get_current_context()["ti"].xcom_push(key=_ORDER, value=order)
    return tripped


@task()
def decide_request(detector: str) -> Payload[TrainingRequest]:
    """The action that drift asks for, unless it was requested recently."""
    from pipeline.steps import training_request

    asked = training_request.ask_once(
        settings.load(), detector, day_of_this_run(), run=this_run(), now=datetime.now(UTC)
    )
    if asked is not None:
        return asked
    return skip("nothing_asked", "Drift asks for nothing, or it was requested recently.")


@task_group
def follow_up(detector: str) -> None:
    """What a scored day calls for: a rollback, or a request."""
    decided: Any = decide_request(detector)
    trigger_rollback = TriggerDagRunOperator(
        task_id="trigger_rollback", trigger_dag_id=dag_id(detector, "rollback")
    )
    checked: Any = check_promotion(
        detector, tripped=trigger_rollback.task_id, otherwise=decided.operator.task_id
    )
    trigger_rollback.conf = checked[_ORDER]
    checked >> [trigger_rollback, decided]
    TriggerDagRunOperator(
        task_id="trigger_request", trigger_dag_id=dag_id(detector, "ask"), conf=decided
    )


def score_dag(spec: DetectorSpec) -> DAG:
    """The scoring DAG of one detector."""
    with detector_dag(
        spec,
        "score",
        schedule=PartitionedAssetTimetable(assets=assets.telemetry(spec.name)),
        max_active_runs=4,
        doc_md=DOC.format(
            name=spec.name,
            channel=spec.notify.channel,
            horizon=spec.notify.horizon_days,
            cooldown=spec.drift.cooldown_days,
        ),
        params={
            "partition": forms.day(
                "The day, where no partition key can be given: `airflow dags trigger` has none."
            )
        },
    ) as dag:
        scored = score(spec.name)
        judged = judge_drift(spec.name)
        in_order(scored, judged, [notify(spec.name, scored), follow_up(spec.name)])
    return dag
