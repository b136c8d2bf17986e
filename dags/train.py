"""`<detector>__train`: from validated telemetry to a judged and, if it passes, live candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, AssetOrTimeSchedule, CronDataIntervalTimetable, Param

from dags import assets, forms
from dags.context import (
    TaskValue,
    as_of_day,
    leave_mlflow_page,
    skip,
    started_by_schedule,
    this_run,
    with_mlflow_page,
)
from dags.defaults import TRAINING_POOL, detector_dag, last_tick
from dags.going_live import PROMOTE_FROM_BACKFILL, go_live
from dags.tasks import task
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.errors import TooFewDays

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.candidate import Candidate, JudgedCandidate

DOC = """
### A candidate for **{name}**: trained, judged and, if it passes, promoted

1. `window` reads the last {days} validated days before the as-of day and splits them: days to train
   on, days to estimate the threshold on, days to test on. No day is used twice.
2. `train` fits the autoencoders on normal rows.
3. `calibrate` estimates the conformal {percentile} threshold on held-out normal rows.
4. `evaluate` measures the false-positive rate and the share of injected faults that is caught, on
   the test days.
5. `drift` compares the distributions of scores and features.
6. `gate` runs its checks and registers the candidate with its promotion card.
7. `promote` writes the ledger, signed, which makes the candidate live; the alias `champion`
   follows.

It runs monthly, by hand, and when the score DAG asks for it because the data have drifted away from
the live version's training data.

#### How to read a run

* **Green `promote`**: the candidate is live, and the version before it is `previous`.
* **Pink (skipped) `window`**: there were too few days yet; nothing is wrong.
* **Pink (skipped) `promote`**: not promoted; the live version did not change. A rejected candidate
  stays in the registry, tagged with the reason.
* **Red**: a fault of the data or of a machine; the log names the value, the limit and the fix.

The run or the promotion card in MLflow is linked in each task's log, and by the button **MLflow**
on its Details tab. Approval by a person: **{approval}**. A backfill trains and judges but does not
promote, unless `promote_from_backfill` is set.
"""


@task()
def window(detector: str, *, params: TaskValue = None) -> Payload[Candidate]:
    """Read the training window and split it into blocks."""
    from pipeline.steps import fitting

    try:
        return fitting.window(
            settings.load(),
            detector,
            as_of_day(),
            training_days=params["training_days"],
            warm_start=params["warm_start"],
        )
    except TooFewDays as error:
        if not started_by_schedule():
            raise
        skip("not_trained", str(error))


@task(pool=TRAINING_POOL)
def train(candidate: Payload[Candidate]) -> Payload[Candidate]:
    """Fit the networks on the training block; open the candidate's MLflow run."""
    from pipeline.steps import fitting

    return with_mlflow_page(fitting.train(settings.load(), candidate, run=this_run()))


@task()
def calibrate(candidate: Payload[Candidate]) -> Payload[Candidate]:
    """Estimate the threshold on the calibration block and write the bundle."""
    from pipeline.steps import fitting

    return with_mlflow_page(fitting.calibrate(settings.load(), candidate))


@task()
def evaluate(candidate: Payload[Candidate]) -> Payload[Candidate]:
    """Measure the bundle on the test block."""
    from pipeline.steps import evaluating

    return with_mlflow_page(evaluating.evaluate(settings.load(), candidate))


@task()
def drift(candidate: Payload[Candidate]) -> Payload[Candidate]:
    """Compare the test days with the bundle's references."""
    from pipeline.steps import evaluating

    return with_mlflow_page(evaluating.drift(settings.load(), candidate))


@task()
def gate(candidate: Payload[Candidate]) -> Payload[JudgedCandidate]:
    """Run every check; register the candidate with its card, passed or rejected."""
    from pipeline.steps import gating

    judged = gating.gate(settings.load(), candidate, run=this_run())
    leave_mlflow_page(judged["candidate"]["page"])
    return judged


def train_dag(spec: DetectorSpec) -> DAG:
    """The training DAG of one detector."""
    with detector_dag(
        spec,
        "train",
        schedule=AssetOrTimeSchedule(
            timetable=CronDataIntervalTimetable(spec.schedule.train, timezone="UTC"),
            assets=[assets.retraining(spec.name)],
        ),
        end_date=last_tick(spec),
        max_active_runs=1,
        doc_md=DOC.format(
            name=spec.name,
            days=spec.split.training_days,
            percentile=f"{100 * (1 - spec.threshold.alpha):g}th-percentile",
            approval=spec.promotion.approval,
        ),
        params=_params(spec),
    ) as dag:
        judged = gate(drift(evaluate(calibrate(train(window(spec.name))))))
        go_live(spec, judged)
    return dag


def _params(spec: DetectorSpec) -> dict[str, Param]:
    return {
        "as_of": forms.day(
            "Train on days before this one, never on the day itself. Empty: the end of "
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
        "warm_start": Param(
            default=False,
            type="boolean",
            title="Fine-tune the live version",
            description="Start from its weights, on the newest normal days and some older ones, in "
            "a fraction of the steps (section fine_tuning of the detector file). Rows that it "
            "flags and nobody has labelled are left out. The gate decides as always.",
        ),
        **PROMOTE_FROM_BACKFILL,
    }
