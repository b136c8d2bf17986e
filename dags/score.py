"""`<detector>__score`: one validated day through the live version, and what follows from it."""

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
from dags.context import Handed, day_of_this_run, skip, started_by_backfill, this_run
from dags.defaults import detector_dag
from dags.notifiers import notifier_for
from pipeline.config import DetectorSpec

log = structlog.get_logger()

_ACTIONS: tuple[Literal["retrain", "recalibrate"], ...] = ("retrain", "recalibrate")
"""What drift may ask for; a new model comes with a new line, so the first is asked first."""

_ORDER = "rollback"
"""What the watch tells the rollback DAG."""

DOC = """
### One validated day of **{name}** through the live version

Runs by itself for each day that `{name}__ingest` has validated.

1. `score` writes the day's `scores` (the challenger's too, where one waits), groups flags into
   `incidents`, and mutes channels that have left their training range.
2. `drift` compares the day and the week up to it with what the live version was trained on.
3. `notify` sends one message for each new incident, by **{channel}**; none for a day older than
   {horizon} days.
4. `watch` looks whether a fresh promotion behaves; if it does not, `roll_back` starts
   `{name}__rollback`.
5. `ask` and `request` start `{name}__ask` when drift calls for training or recalibration, at most
   once in {cooldown} days.

Steps 3 to 5 are skipped when a backfill brought the day.

#### To run it by hand

Trigger, Advanced Options, Partition Key `2014-05-01`; from the command line, which knows no such
key, `partition`. Many days at once: `{name}__load` with `score again`. Nothing is scored twice: a
day whose rows and version are unchanged is left as it is.
"""


@task
def score(detector: str) -> Handed:
    """Score this run's day with the champion, and with the challenger in its shadow."""
    from pipeline.steps.operation import scoring

    outcome = scoring.score_days(detector, [day_of_this_run()], run=this_run())
    if reason := outcome.get("skipped"):
        skip("not_scored", reason)
    return outcome


@task.short_circuit
def drift(detector: str) -> Handed:
    """Judge the day and its week; what a backfill brought is recorded and ends here."""
    from pipeline.steps.operation import drifting

    verdict = drifting.judge_days(detector, [day_of_this_run()], run=this_run())
    return {} if started_by_backfill() else verdict


# A drift test that fails must not keep a person from hearing of an incident.
@task(trigger_rule=TriggerRule.ALL_DONE)
def notify(detector: str, scored: Handed) -> Handed:
    """Send one message for each incident that nobody was told of; red if one did not go out."""
    from pipeline.steps.candidate import detector_named
    from pipeline.steps.operation import notifying

    if not scored:
        skip("nothing_to_tell", "The day was not scored.")
    settings = detector_named(detector).notify
    notices = notifying.due(detector, [day_of_this_run()], now=datetime.now(UTC))
    return notifying.tell(
        notices,
        lambda notice: notifier_for(settings, notice).notify(get_current_context()),
        channel=settings.channel,
        run=this_run(),
    )


@task.branch
def watch(detector: str) -> list[str]:
    """Whether the newest promotion must be taken back; if not, whether drift asks for anything.

    What drift says of a version that has to go is void.
    """
    from pipeline.steps.operation import promotion_watch

    outcome = promotion_watch.watch(detector, day_of_this_run(), run=this_run())
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
def ask(detector: str) -> Handed:
    """What drift asks for, where it was not asked for not long ago."""
    from pipeline.steps.operation import training_request

    day, now = day_of_this_run(), datetime.now(UTC)
    for action in _ACTIONS:
        asked = training_request.ask(detector, day, action=action, run=this_run(), now=now)
        if asked is not None:
            return asked
    return skip("nothing_asked", "Drift calls for nothing, or it was asked for not long ago.")


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
                "The day, where no partition key can be given: `airflow dags trigger` knows none."
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
