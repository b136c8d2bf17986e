"""`<detector>__train`: from validated telemetry to a judged and, if it may, promoted candidate."""

from __future__ import annotations

from typing import Any

from airflow.sdk import (
    DAG,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    Param,
    task,
)

from dags import assets, forms
from dags.context import (
    Handed,
    as_of_day,
    leave_mlflow_page,
    skip,
    started_by_schedule,
    this_run,
)
from dags.defaults import TRAINING_POOL, detector_dag, last_tick
from dags.going_live import PROMOTE_FROM_BACKFILL, go_live
from pipeline.config import DetectorSpec
from pipeline.errors import TooFewDays

DOC = """
### A candidate for **{name}**: trained, judged and, if it may, promoted

1. `window` takes the last {days} validated days before the as-of day and shares them out: days that
   train, days that draw the threshold, days that judge. No day is used twice.
2. `train` fits the autoencoders on normal rows.
3. `calibrate` draws the conformal {percentile} threshold on held-out normal rows.
4. `evaluate` measures the false-positive rate, and faults put in on purpose, on untouched days.
5. `drift` compares the distributions of scores and features.
6. `gate` asks its questions and registers the candidate with its promotion card.
7. `promote` writes the ledger, signed, which makes the candidate live; the alias `champion`
   follows.

It runs monthly, by hand, and when the score DAG asks for it because the data have left what the
live version was trained on.

#### How to read a run

* **Green `promote`**: the candidate is live, and the version before it is `previous`.
* **Pink (skipped) `window`**: the schedule came before there were days enough; nothing is wrong.
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
    from pipeline.steps.training import fitting

    try:
        return fitting.window(
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
def train(candidate: Handed) -> Handed:
    """Fit the networks on the training block; open the candidate's MLflow run."""
    from pipeline.steps.training import fitting

    return _shown(fitting.train(candidate, run=this_run()))


@task
def calibrate(candidate: Handed) -> Handed:
    """Draw the threshold on the calibration block and write the bundle."""
    from pipeline.steps.training import fitting

    return _shown(fitting.calibrate(candidate))


@task
def evaluate(candidate: Handed) -> Handed:
    """Measure the bundle on the untouched test block."""
    from pipeline.steps.training import judging

    return _shown(judging.evaluate(candidate))


@task
def drift(candidate: Handed) -> Handed:
    """Compare the test days with the bundle's references."""
    from pipeline.steps.training import judging

    return _shown(judging.drift(candidate))


@task
def gate(candidate: Handed) -> Handed:
    """Ask every gate question; register the candidate with its card, passed or rejected."""
    from pipeline.steps.training import gating

    return _shown(gating.gate(candidate, run=this_run()))


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
            description="Go on from its weights, on the newest normal days and some older ones, in "
            "a fraction of the steps (section fine_tuning of the detector file). Days that it "
            "flags and nobody has labelled are left out. The gate decides as always.",
        ),
        **PROMOTE_FROM_BACKFILL,
    }


def _shown(candidate: dict[str, Any]) -> dict[str, Any]:
    leave_mlflow_page(candidate["page"])
    return candidate
