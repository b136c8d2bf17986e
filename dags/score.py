"""`<detector>__score`: scores one validated day with the live version, and acts on the result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    DAG,
    PartitionedAssetTimetable,
    TriggerRule,
    get_current_context,
    task,
)

from dags import assets, forms
from dags.context import TaskValue, day_of_this_run, skip, started_by_backfill, this_run
from dags.defaults import detector_dag
from dags.notifiers import notifier_for
from pipeline import settings
from pipeline.config import DetectorSpec

log = structlog.get_logger()

_ACTIONS: tuple[Literal["retrain", "recalibrate"], ...] = ("retrain", "recalibrate")
"""The actions that drift may request, in this order: a new model has a new threshold as well."""

_ORDER = "rollback"
"""XCom key of the watch's parameters for the rollback DAG."""

DOC = """
### Score one validated day of **{name}** with the live version

Runs automatically for each day that `{name}__ingest` has validated.

1. `score` writes the day's `scores` (the challenger's too, where one waits), groups flags into
   `incidents`, and mutes channels that have left their training range.
2. `drift` compares the day and the week up to it with the live version's reference rows.
3. `notify` sends one message for each new incident, by **{channel}**; none for a day older than
   {horizon} days.
4. `watch` checks whether a new promotion is inside its limits; if not, `roll_back` starts
   `{name}__rollback`.
5. `ask` and `request` start `{name}__ask` when drift calls for training or recalibration, at most
   once in {cooldown} days.

Steps 3 to 5 are skipped when a backfill loaded the day.

#### To run it by hand

Trigger, Advanced Options, Partition Key `2014-05-01`; on the command line, which has no such key,
the parameter `partition`. Many days at once: `{name}__load` with `score again`. A day whose rows
and version are unchanged is not scored again.
"""


@task
def score(detector: str) -> TaskValue:
    """Score this run's day with the champion, and with the challenger in shadow."""
    from pipeline.steps import scoring

    outcome = scoring.score_days(settings.load(), detector, [day_of_this_run()], run=this_run())
    if reason := outcome.get("skipped"):
        skip("not_scored", reason)
    return outcome


@task.short_circuit
def drift(detector: str) -> TaskValue:
    """Judge the day and its week; a backfill ends here."""
    from pipeline.steps import drifting

    verdict = drifting.judge_days(settings.load(), detector, [day_of_this_run()], run=this_run())
    return {} if started_by_backfill() else verdict


# A failed drift test must not prevent the message about an incident.
@task(trigger_rule=TriggerRule.ALL_DONE)
def notify(detector: str, scored: TaskValue) -> TaskValue:
    """Send one message for each new incident; red if one was not sent."""
    from pipeline.steps import notifying
    from pipeline.steps.candidate import detector_named

    if not scored:
        skip("nothing_to_tell", "The day was not scored.")
    settings = detector_named(settings.load(), detector).notify
    notices = notifying.due(settings.load(), detector, [day_of_this_run()], now=datetime.now(UTC))
    return notifying.send_notices(
        settings.load(),
        notices,
        lambda notice: notifier_for(settings, notice).notify(get_current_context()),
        channel=settings.channel,
        run=this_run(),
    )


@task.branch
def watch(detector: str) -> list[str]:
    """Roll back if the newest promotion is outside its limits; else see what drift asks for.

    The drift verdict about a version that is rolled back is void.
    """
    from pipeline.steps import promotion_watch

    outcome = promotion_watch.watch(settings.load(), detector, day_of_this_run(), run=this_run())
    log.info("promotion_watched", **outcome)
    if not outcome["tripped"]:
        return ["ask"]
    order = {
        "target": "previous",
        "reason": outcome["reason"],
        "only_if_live": outcome["version"],
        "who": "the watch after the promotion",
    }
    get_current_context()["ti"].xcom_push(key=_ORDER, value=order)
    return ["roll_back"]


@task
def ask(detector: str) -> TaskValue:
    """The action that drift asks for, unless it was requested recently."""
    from pipeline.steps import training_request

    day, now = day_of_this_run(), datetime.now(UTC)
    for action in _ACTIONS:
        asked = training_request.ask(
            settings.load(), detector, day, action=action, run=this_run(), now=now
        )
        if asked is not None:
            return asked
    return skip("nothing_asked", "Drift asks for nothing, or it was requested recently.")


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
        judged = drift(spec.name)
        scored >> judged >> notify(spec.name, scored)
        watched: Any = watch(spec.name)
        judged >> watched
        watched >> TriggerDagRunOperator(
            task_id="roll_back",
            trigger_dag_id=f"{spec.name}__rollback",
            conf=watched[_ORDER],
        )
        asked: Any = ask(spec.name)
        watched >> asked
        TriggerDagRunOperator(task_id="request", trigger_dag_id=f"{spec.name}__ask", conf=asked)
    return dag
