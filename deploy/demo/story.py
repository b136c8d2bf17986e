"""The demo, chapter by chapter. All work is done in Airflow and MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any

from deploy.airflow_api import AirflowApi, RunResult
from deploy.demo import drill, summary
from deploy.demo.progress import Progress
from deploy.demo.review import look_back
from deploy.embedded.backfill import create_backfill, wait_for_backfill, wait_for_partitions
from deploy.embedded.errors import StackError
from deploy.embedded.stack import Stack
from pipeline import settings
from pipeline.cli import main as plimsoll
from pipeline.records import from_json
from pipeline.registry.pages import version_page
from pipeline.shell import this_shell
from pipeline.steps.candidate import Candidate, detector_named
from pipeline.steps.gating import verdict_of
from pipeline.store.ingestions import LatestState, latest_states

DETECTOR = "la_haute_borne"
INGEST, LOAD, TRAIN = f"{DETECTOR}__ingest", f"{DETECTOR}__load", f"{DETECTOR}__train"
SCORE, RECALIBRATE = f"{DETECTOR}__score", f"{DETECTOR}__recalibrate"
DAGS = (INGEST, LOAD, TRAIN, SCORE, RECALIBRATE)
HISTORY = (date(2014, 1, 1), date(2014, 3, 31))
AS_OF = date(2014, 4, 1)
IN_ONE_RUN = (AS_OF, date(2014, 6, 20))
DAY_BY_DAY = (date(2014, 6, 21), date(2014, 6, 30))
LIVE = (AS_OF, DAY_BY_DAY[1])
RECALIBRATED = (date(2014, 6, 1), date(2014, 7, 1))


@dataclass(frozen=True)
class Demo:
    """The stack, Airflow and the output, for every chapter."""

    stack: Stack
    airflow: AirflowApi
    progress: Progress


def load_history(demo: Demo) -> None:
    """Load the months that the first version learns from, in one run."""
    first, last = HISTORY
    demo.progress.headline(
        f"1. Ingest {first} to {last} of La Haute Borne "
        "(ENGIE, Licence Ouverte 2.0; about 54 MB, fetched once)"
    )
    _run_range(demo, HISTORY)


def train(demo: Demo) -> tuple[Candidate, str]:
    """Train on the first three months, evaluate, promote; returns the candidate and its run."""
    demo.progress.headline(f"2. Train on the 90 days before {AS_OF}, evaluate, promote")
    result = _run(demo, TRAIN, conf={"as_of": AS_OF.isoformat()}, what="training")
    payload = demo.airflow.xcom(TRAIN, result.run_id, "gate")
    demo.progress.say(f"  {payload['reason']}")
    return from_json(Candidate, payload["candidate"]), result.run_id


def go_live(demo: Demo) -> None:
    """Score the next three months: eleven weeks in one run, then as the schedule would."""
    demo.progress.headline(f"3. Live: ingest and score {LIVE[0]} to {LIVE[1]}")
    demo.progress.say("  the months before, which had no version to score them")
    _run_range(demo, HISTORY, work="score again")
    _run_range(demo, IN_ONE_RUN)
    first, last = DAY_BY_DAY
    words = ("--dag-id", INGEST, "--from-date", str(first), "--to-date", str(last))
    typed = this_shell(settings.load()).in_airflow("backfill", "create", *words)
    demo.progress.say(f"  a run a day, as this does: {typed}")
    with demo.progress.patience("ingesting day by day"):
        # Days that a former demo has ingested are ingested again, and change nothing.
        backfill = create_backfill(demo.airflow, INGEST, first, last, reprocess="completed")
        states = wait_for_backfill(demo.airflow, backfill, on_change=demo.progress.runs)
    if set(states) != {"success"}:
        raise StackError(f"The backfill of {INGEST} ended with {dict(states)}; see its runs.")
    with demo.progress.patience("scoring the same days, a run each"):
        wait_for_partitions(demo.airflow, SCORE, first, last)


def recalibrate(demo: Demo) -> None:
    """Recalibrate as the schedule does on the first of a month, with the same weights."""
    demo.progress.headline("4. Recalibrate: the same network, a new threshold")
    for as_of in RECALIBRATED:
        demo.progress.say(f"  as of {as_of}, on the days scored before it")
        result = _run(demo, RECALIBRATE, conf={"as_of": as_of.isoformat()}, what="recalibrating")
        payload = demo.airflow.xcom(RECALIBRATE, result.run_id, "gate")
        demo.progress.say(f"  {payload['reason']}")


def plant_faults(demo: Demo) -> None:
    """Break the source in three ways: two days are blocked, and the first accepted once fixed.

    Of the third one sensor is missing, and the rest is scored.
    """
    demo.progress.headline("5. Break the source: three days with planted faults")
    here = settings.load()
    spec = detector_named(here, DETECTOR)
    for fault in drill.FAULTS:
        drill.plant(fault, spec, cache=here.cache, data=demo.stack.layout.data)
        demo.progress.say(f"  {fault.day}: {fault.story}")
        key = fault.day.isoformat()
        _run(demo, INGEST, partition_key=key, what="ingesting", blocked=fault.blocks)
        if fault.blocks:
            demo.progress.say(f"    blocked: {_state(here, fault.day).reasons}")
        else:
            with demo.progress.patience("scoring what is left"):
                wait_for_partitions(demo.airflow, SCORE, fault.day, fault.day)
            demo.progress.say(f"    scored without {summary.missing_on(here, DETECTOR, fault.day)}")
    fixed = drill.FAULTS[0]
    demo.progress.say(f"  {fixed.day} again, with its unit fixed")
    drill.repair(fixed, data=demo.stack.layout.data)
    _run(demo, INGEST, partition_key=fixed.day.isoformat(), what="ingesting")
    with demo.progress.patience("scoring it"):
        wait_for_partitions(demo.airflow, SCORE, fixed.day, fixed.day)
    demo.progress.say(f"    {_state(here, fixed.day).standing}")


def conclude(demo: Demo, candidate: Candidate, train_run: str) -> None:
    """Print the results and the pages to open."""
    demo.progress.headline("6. Results")
    here = settings.load()
    later = look_back(here, DETECTOR, *LIVE)
    rows = chain(summary.ingested(here, DETECTOR), summary.judged(verdict_of(candidate), later))
    print(summary.table(rows))
    print(f"\nStatus: {this_shell(here).plimsoll('status')}")
    plimsoll(["status", DETECTOR])
    print(summary.table(_pages(demo, later.version, train_run)))
    print("\n  The stack goes on running; `make down` stops it and keeps everything.\n")


def _pages(demo: Demo, version: int, train_run: str) -> Iterator[summary.Row]:
    stack = demo.stack
    yield "Pages to open", ""
    yield "the training run", f"{stack.airflow_url}/dags/{TRAIN}/runs/{train_run}"
    yield "every day ingested", f"{stack.airflow_url}/dags/{INGEST}"
    yield "the promotion card", version_page(stack.mlflow_url, DETECTOR, version)
    yield "user and password for both", str(stack.layout.logins)


def _run_range(demo: Demo, span: tuple[date, date], work: str = "load and score") -> None:
    first, last = span
    demo.progress.say(f"  one run of {LOAD} for {first} to {last}: {work}")
    conf = {"from_day": first.isoformat(), "to_day": last.isoformat(), "work": work}
    _run(demo, LOAD, conf=conf, what="working through the months")


def _run(
    demo: Demo,
    dag_id: str,
    *,
    what: str,
    conf: dict[str, Any] | None = None,
    partition_key: str | None = None,
    blocked: bool = False,
) -> RunResult:
    """One DAG run, shown task by task; raises unless it ends as expected."""
    with demo.progress.patience(what):
        run_id = demo.airflow.trigger(dag_id, conf=conf, partition_key=partition_key)
        result = demo.airflow.wait_for_run(dag_id, run_id, on_change=demo.progress.task)
    if result.succeeded == blocked:
        expected = "be blocked" if blocked else "succeed"
        page = f"{demo.stack.airflow_url}/dags/{dag_id}/runs/{run_id}"
        raise StackError(f"{dag_id} was expected to {expected} but ended {result.state}: {page}")
    return result


def _state(here: settings.Deployment, day: date) -> LatestState:
    return latest_states(here, DETECTOR, day, day)[-1]
