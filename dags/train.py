"""`<detector>__train`: from validated telemetry to a judged and, if it may, promoted candidate."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any, NoReturn

import structlog
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.context import Handed, as_of_day, leave_mlflow_page, started_by_backfill, this_run
from dags.defaults import DEFAULT_ARGS, PROMOTION_POOL, TRAINING_POOL, last_tick
from dags.detector_files import readable_detectors
from pipeline.config import DetectorSpec

log = structlog.get_logger()

DOC = """
### A candidate for **{name}**: trained, judged and, if it may, promoted

1. `window` takes the last {days} validated days before the as-of day and shares them out: days that
   train, days that draw the threshold, days that judge. No day is used twice.
2. `train` fits the autoencoders on normal rows.
3. `calibrate` draws the conformal {percentile} threshold on held-out normal rows.
4. `evaluate` measures the false-positive rate, and faults put in on purpose, on untouched days.
5. `drift` compares the distributions of scores and features.
6. `gate` asks its questions and registers the candidate with its promotion card.
7. `promote` moves the alias `champion`, under a lock, and writes the ledger.

#### How to read a run

* **Green `promote`**: the candidate is live, and the version before it is `previous`.
* **Pink (skipped) `promote`**: not promoted, and nothing live changed. A rejected candidate stays
  in the registry, tagged with the reason.
* **Red**: the data or the machine; the log names the value, the limit and the mend.

The run or the promotion card in MLflow is linked in each task's log, and by the button **MLflow**
on its Details tab. Approval by a person: **{approval}**. A backfill trains and judges but does not
promote, unless `promote_from_backfill` says so.
"""


@task
def window(detector: str, *, params: Handed = None) -> Handed:
    """Read the training window and share it out in blocks."""
    from pipeline.steps import fitting

    return fitting.window(detector, as_of_day(), training_days=params["training_days"])


@task(pool=TRAINING_POOL)
def train(candidate: Handed) -> Handed:
    """Fit the networks on the training block; open the candidate's MLflow run."""
    from pipeline.steps import fitting

    return _shown(fitting.train(candidate, run=this_run()))


@task
def calibrate(candidate: Handed) -> Handed:
    """Draw the threshold on the calibration block and write the bundle."""
    from pipeline.steps import fitting

    return _shown(fitting.calibrate(candidate))


@task
def evaluate(candidate: Handed) -> Handed:
    """Measure the bundle on the untouched test block."""
    from pipeline.steps import judging

    return _shown(judging.evaluate(candidate))


@task
def drift(candidate: Handed) -> Handed:
    """Compare the test days with the bundle's references."""
    from pipeline.steps import judging

    return _shown(judging.drift(candidate))


@task
def gate(candidate: Handed) -> Handed:
    """Ask every gate question; register the candidate with its card, passed or rejected."""
    from pipeline.steps import gating

    return _shown(gating.gate(candidate, run=this_run()))


@task(pool=PROMOTION_POOL, trigger_rule=TriggerRule.NONE_FAILED)
def promote(candidate: Handed, answer: Handed, *, params: Handed = None) -> Handed:
    """Move `champion` to a candidate that passed and, where asked for, was approved."""
    from pipeline.steps import promotion

    if not _may_promote(params):
        _skip("A backfill does not move the champion; set promote_from_backfill to allow it.")
    outcome = _shown(promotion.promote(candidate, answer=answer, run=this_run()))
    if not outcome["promoted"]:
        _skip(outcome["reason"])
    return outcome


def train_dag(spec: DetectorSpec) -> DAG:
    """The training DAG of one detector."""
    with DAG(
        dag_id=f"{spec.name}__train",
        schedule=CronDataIntervalTimetable(spec.schedule.train, timezone="UTC"),
        start_date=datetime.combine(spec.schedule.start, time(), UTC),
        end_date=last_tick(spec),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULT_ARGS,
        tags=["plimsoll", spec.name],
        doc_md=DOC.format(
            name=spec.name,
            days=spec.split.training_days,
            percentile=f"{100 * (1 - spec.threshold.alpha):g}th-percentile",
            approval=spec.promotion.approval,
        ),
        params=_params(spec),
    ) as dag:
        judged = gate(drift(evaluate(calibrate(train(window(spec.name))))))
        promote(judged, _approval(spec, judged))
    return dag


def _approval(spec: DetectorSpec, judged: Handed) -> Handed:
    """A person's answer, asked for only where the file wants one and it could change anything."""
    if spec.promotion.approval == "none":
        return None

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def passed_gate(candidate: Handed, *, params: Handed = None) -> bool:
        return bool(candidate["passed"]) and _may_promote(params)

    approve = HITLOperator(
        task_id="approve",
        subject=f"Promote a new {spec.name}?",
        body="{{ ti.xcom_pull(task_ids='gate')['card'] }}",
        options=["Approve", "Reject"],
        defaults=["Reject"],
        response_timeout=timedelta(hours=spec.promotion.approval_hours),
        params={"comment": Param("", type="string", description="Goes into the ledger.")},
    )
    passed_gate(judged) >> approve
    return approve.output


def _may_promote(params: Handed) -> bool:
    return bool(params["promote_from_backfill"]) or not started_by_backfill()


def _params(spec: DetectorSpec) -> dict[str, Param]:
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Train on days before this one, never on the day itself. Empty: the end of "
            "the run's data interval.",
        ),
        "training_days": Param(
            None,
            type=["null", "integer"],
            minimum=spec.split.minimum_days,
            maximum=3660,
            description=f"Validated days to train and judge on. Empty: {spec.split.training_days}, "
            "as the detector file says.",
        ),
        "promote_from_backfill": Param(
            default=False,
            type="boolean",
            description="Let a backfill move the champion; without effect on other runs.",
        ),
    }


def _skip(reason: str) -> NoReturn:
    """End the task pink, with its reason in the log: Airflow does not show the exception's."""
    log.info("not_promoted", reason=reason)
    raise AirflowSkipException(reason)


def _shown(candidate: dict[str, Any]) -> dict[str, Any]:
    leave_mlflow_page(candidate["page"])
    return candidate


for _spec in readable_detectors():
    globals()[f"{_spec.name}__train"] = train_dag(_spec)
