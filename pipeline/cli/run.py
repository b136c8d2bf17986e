"""`run`: do what a DAG does, without Airflow: the same functions, the same ledger."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline import settings
from pipeline.cli import log_lines
from pipeline.errors import DataError
from pipeline.printable import one_line
from pipeline.settings import Deployment

if TYPE_CHECKING:
    from pipeline.cli.job import Job

HELP = "Do what a DAG does, without Airflow: the same stages, the same ledger, the same approval."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`, one set for each step."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    ingest = _step(steps, "ingest", "fetch, validate and write one day")
    _add_day(ingest)
    score = _step(steps, "score", "score one day with the live version, and judge its drift")
    _add_day(score)
    load = _step(steps, "load", "ingest and score many days")
    load.add_argument("--from", dest="first", metavar="DAY", required=True, help="2014-05-01")
    load.add_argument("--to", dest="last", metavar="DAY", required=True, help="included")
    load.add_argument("--again", action="store_true", help="fetch nothing, score what is there")
    train = _step(steps, "train", "train a candidate, judge it, and promote it if it may be")
    _add_as_of(train, "today")
    train.add_argument("--training-days", type=int, metavar="N", help="default: as the file says")
    train.add_argument("--warm-start", action="store_true", help="fine-tune the live version")
    again = _step(steps, "recalibrate", "a new threshold for the live weights, judged and promoted")
    _add_as_of(again, "tomorrow, so that the labels of today count")
    again.add_argument("--accept-beyond-bounds", action="store_true", help="needs --reason")
    _add_reason(again, "why the move is right")
    promote = _step(steps, "promote", "answer for a candidate that `train` or `recalibrate` left")
    promote.add_argument(
        "--version", type=int, metavar="N", required=True, help="whose card you read"
    )
    answer = promote.add_mutually_exclusive_group(required=True)
    answer.add_argument("--approve", action="store_true", help="let it go live")
    answer.add_argument("--reject", action="store_true", help="keep it out")
    promote.add_argument("--comment", default="", help="kept in the ledger, signed")
    _add_author(promote)
    rollback = _step(steps, "rollback", "make an earlier version live, and score its days again")
    rollback.add_argument("--target", default="previous", help="`previous`, or a version number")
    rollback.add_argument(
        "--only-if-live", type=int, metavar="N", help="move nothing unless this version is live"
    )
    _add_reason(rollback, "one sentence for the ledger")
    housekeeping = _step(steps, "housekeeping", "remove what nothing needs any more")
    housekeeping.add_argument("--dry-run", action="store_true", help="say what would go")


def run(arguments: argparse.Namespace) -> int:
    """Run the stages one after the other, a line for each; 1 if the answer is no."""
    here = settings.load()
    settings.refuse_nowhere(here)  # before the libraries, which take seconds

    from pipeline.registry.connection import answering

    with answering(here):
        return _stages(arguments)(_job(here, arguments))


def _stages(arguments: argparse.Namespace) -> Callable[[Job], int]:
    from pipeline.cli import run_days
    from pipeline.cli import run_stages as stages

    asked = vars(arguments)
    calls: dict[str, Callable[[Job], int]] = {
        "ingest": lambda job: run_days.ingest(job, asked["day"]),
        "score": lambda job: run_days.score(job, asked["day"]),
        "load": lambda job: run_days.load(job, asked["first"], asked["last"], again=asked["again"]),
        "train": lambda job: stages.train(
            job,
            asked["as_of"],
            training_days=asked["training_days"],
            warm_start=asked["warm_start"],
        ),
        "recalibrate": lambda job: stages.recalibrate(
            job, asked["as_of"], accepted=_acceptance(arguments)
        ),
        "promote": lambda job: stages.promote(
            job, asked["version"], approve=asked["approve"], comment=asked["comment"].strip()
        ),
        "rollback": lambda job: stages.rollback(
            job, asked["target"], asked["reason"], only_if_live=asked["only_if_live"]
        ),
        "housekeeping": lambda job: stages.housekeeping(job, dry_run=asked["dry_run"]),
    }
    return calls[arguments.step]


def _acceptance(arguments: argparse.Namespace) -> str:
    """The reason why a threshold beyond the bounds may go live; empty if it may not."""
    if not arguments.accept_beyond_bounds:
        return ""
    reason = str(arguments.reason).strip()
    if not reason:
        msg = "--accept-beyond-bounds needs --reason, one sentence; it is kept in the ledger."
        raise DataError(msg)
    return reason


def _job(here: Deployment, arguments: argparse.Namespace) -> Job:
    from pipeline.cli.job import Job

    return Job(
        here=here,
        detector=arguments.detector,
        step=arguments.step,
        started=arguments.started,
        author=getattr(arguments, "author", None) or getpass.getuser(),
        say=lambda text: print(one_line(text), flush=True),
    )


def _step(
    steps: argparse._SubParsersAction[argparse.ArgumentParser], name: str, does: str
) -> argparse.ArgumentParser:
    step = steps.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
    step.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    # It may stand before the step, too, and the default of this one must not undo that.
    log_lines.add_arguments(step, default=argparse.SUPPRESS)
    return step


def _add_day(step: argparse.ArgumentParser) -> None:
    step.add_argument("--day", required=True, metavar="DAY", help="a UTC day, 2014-05-01")


def _add_as_of(step: argparse.ArgumentParser, default: str) -> None:
    step.add_argument(
        "--as-of", metavar="DAY", help=f"only days before this one are read; default: {default}"
    )


def _add_reason(step: argparse.ArgumentParser, why: str) -> None:
    step.add_argument("--reason", default="", help=f"{why}; kept in the ledger")
    _add_author(step)


def _add_author(step: argparse.ArgumentParser) -> None:
    step.add_argument("--author", help="who says so; the login name by default")
