"""`cases`: what is unresolved; answer it, or undo an answer."""

from __future__ import annotations

import argparse
import getpass
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pipeline import settings
from pipeline.errors import DataError
from pipeline.printable import one_line
from pipeline.settings import Deployment
from pipeline.shell import this_shell

if TYPE_CHECKING:
    from pipeline.steps.case_answering import ListedCase

HELP = "List the open cases, answer one, or undo an answer."

# As pipeline.cases has them, whose libraries take seconds.
_ANSWERS = ("normal from now on", "was a fault")

_RETURNED = {
    "episode": "for long enough no row was flagged",
    "shift": "the raw data have returned",
    "regime": "the raw data have returned",
    "degradation": "the scores have returned",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `cases`."""
    parser.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    parser.add_argument("--all", action="store_true", help="show closed cases, too")
    parser.add_argument(
        "--as-of", metavar="DAY", help="the cases that were open when this UTC day ended"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--answer",
        nargs=2,
        metavar=("ID", "ANSWER"),
        help=f"{' or '.join(repr(each) for each in _ANSWERS)}; closes the case",
    )
    what.add_argument("--undo", metavar="ID", help="take the answer about a case back")
    parser.add_argument("--reason", default="", help="why, one sentence; kept with the answer")
    parser.add_argument("--by", metavar="NAME", help="who answers; the login name by default")


def run(arguments: argparse.Namespace) -> int:
    """Show the cases, or record what a person says of one."""
    here = settings.load()
    settings.refuse_nowhere(here)  # before the libraries, which take seconds
    # The content of the log event is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if arguments.answer is None and arguments.undo is None:
        _show(here, arguments)
        return 0
    if arguments.all or arguments.as_of:
        msg = "--all and --as-of show cases, --answer and --undo record something; give one."
        raise DataError(msg)
    reason = str(arguments.reason).strip()
    if not reason:
        msg = "no reason is given; add --reason with one sentence, it is kept with the answer."
        raise DataError(msg)
    print(one_line(_recorded(here, arguments, reason)))
    return 0


def _recorded(here: Deployment, arguments: argparse.Namespace, reason: str) -> str:
    from pipeline.cases import ANSWERS, FAULT
    from pipeline.data.label_request import Author
    from pipeline.steps.case_answering import answer_case, undo_answer

    by = Author(arguments.by or getpass.getuser(), datetime.now(UTC))
    if arguments.undo is not None:
        case, said = undo_answer(here, arguments.detector, arguments.undo, by, reason)
        labels = " Its rows are no incident any more." * (said.answer == FAULT)
        return (
            f"case {case.id}: `{said.answer}` by {said.author} is undone, says {by.author}.{labels}"
        )
    name, given = arguments.answer
    answer = next((each for each in ANSWERS if each == given), None)
    if answer is None:
        msg = f"answer {given!r} is unknown; write {' or '.join(repr(each) for each in ANSWERS)}."
        raise DataError(msg)
    case, made = answer_case(here, arguments.detector, name, answer, by, reason)
    labels = " Its rows are labelled as an incident." * (answer == FAULT)
    counts = " It counts for trainings as of tomorrow (UTC) or later (run train --as-of)."
    return f"case {case.id}: {made.answer}, says {made.author}; it is closed.{labels}{counts}"


def _show(here: Deployment, arguments: argparse.Namespace) -> None:
    from pipeline.data.grid import as_day
    from pipeline.steps.case_answering import listed

    day = as_day(arguments.as_of) if arguments.as_of else None
    found = listed(here, arguments.detector, day=day, now=datetime.now(UTC), closed=arguments.all)
    still = [each for each in found if each.is_open]
    closed = f", closed: {len(found) - len(still)}" * bool(arguments.all)
    print(f"Open cases{f' after {day}' if day else ''}: {len(still)}{closed}")
    for each in found:
        for line in _lines(each, arguments.detector):
            print(f"  {one_line(line)}")
    if still and day is None:
        print("Answer, the oldest for instance:")
        for answer in _ANSWERS:
            words = ("--answer", still[0].case.id, answer, "--reason", "...")
            print(f"  {this_shell(here).plimsoll('cases', arguments.detector, *words)}")


def _lines(each: ListedCase, detector: str) -> Iterator[str]:
    case = each.case
    span = f"{case.start:%Y-%m-%d %H:%M} to {case.last_row:%Y-%m-%d %H:%M}"
    where = ", ".join(case.machines) or detector
    what = f" ({', '.join(case.channels)})" if case.channels else ""
    yield f"{case.id}  {case.kind}  {span}  {where}{what}"
    yield f"    {case.why}"
    if case.returned is not None:
        yield f"    closed on {case.returned}: {_RETURNED[case.kind]}"
    if each.answer is not None:
        said = each.answer
        state = "answered" if each.is_open else "closed"
        when = f"{said.created_at:%Y-%m-%d}"
        yield f"    {state}: {said.answer}, says {said.author} on {when}: {said.note}"
