"""People's answers about open cases: recorded, undone, and what they make of the cases."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import structlog

from pipeline.cases import (
    FAULT,
    UNDO,
    Answer,
    Case,
    CaseAnswer,
    answer_in_force,
    answers_in_force,
    open_cases,
    unanswered_since,
)
from pipeline.data.label import WITHDRAWN, Label
from pipeline.data.label_request import Author
from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps import day_metrics
from pipeline.steps.candidate import detector_named
from pipeline.steps.cases_on_record import answers_known, every_case, open_on
from pipeline.store.case_answers import add_case_answer
from pipeline.store.labels import add_labels, labels_as_of
from pipeline.utc_day import end_of

_OFFERED = 3

log = structlog.get_logger()


@dataclass(frozen=True)
class ListedCase:
    """A case, whether it is open, and what a person said of it.

    Attributes:
        case: the case.
        is_open: whether nothing has closed it.
        answer: the answer in force; None: nobody has answered.
    """

    case: Case
    is_open: bool
    answer: CaseAnswer | None


def listed(
    here: Deployment, detector: str, *, day: date | None, now: datetime, closed: bool
) -> tuple[ListedCase, ...]:
    """The open cases, oldest first; with `closed` all of them.

    With a `day` those that were open when it ended, by what people had said by then.

    Raises:
        DataError: there is no such detector.
        UnprovenAnswer: an answer that no trusted key has signed.
    """
    detector_named(here, detector)
    last = day or date.max
    as_of = now if day is None else min(now, end_of(day) - timedelta(microseconds=1))
    if not closed:
        found: Sequence[Case] = open_on(here, detector, last, now=as_of)
    else:
        found = every_case(here, detector, last)
    answers = answers_known(here, detector, as_of)
    in_force = answers_in_force(answers, as_of)
    still = {case.id for case in open_cases(found, answers, as_of)}
    return tuple(
        ListedCase(case, case.id in still, answer_in_force(case, in_force)) for case in found
    )


def answer_case(
    here: Deployment, detector: str, name: str, answer: Answer, by: Author, reason: str
) -> tuple[Case, CaseAnswer]:
    """Record an answer about a case; `was a fault` labels its rows as an incident, too.

    Raises:
        DataError: there is no such case, it is answered already, or no reason is given; nothing
            was recorded.
    """
    case, in_force = _case_named(here, detector, name, by.at)
    said, since = answer_in_force(case, in_force), unanswered_since(case, in_force)
    if said is not None and since is None:
        raise DataError(_answered_already(here, detector, case, said))
    machine = case.machines[0] if case.machines and case.kind != "degradation" else None
    made = CaseAnswer(
        case=case.id,
        kind=case.kind,
        entity=machine,
        channel=case.channels[0] if case.kind == "shift" else None,
        start=since or case.start,
        end=case.last_row,
        answer=answer,
        note=reason.strip(),
        author=by.author,
        created_at=by.at,
        run_id=by.run,
    )
    if answer == FAULT:
        # Labels first: whoever is stopped between the two can answer again.
        add_labels(here, detector, _labels(case, made))
    add_case_answer(here, detector, made)
    log.info("case_answered", detector=detector, case=case.id, answer=answer, author=by.author)
    day_metrics.open_items_changed(here, detector)
    return case, made


def undo_answer(
    here: Deployment, detector: str, name: str, by: Author, reason: str
) -> tuple[Case, CaseAnswer]:
    """Take the answer about a case back, and the labels that came with it; returns that answer.

    Raises:
        DataError: there is no such case, nobody has answered it, or no reason is given; nothing
            was recorded.
    """
    case, in_force = _case_named(here, detector, name, by.at)
    said = answer_in_force(case, in_force)
    shell = this_shell(here)
    if said is None:
        listing = shell.plimsoll("cases", detector, "--all")
        msg = f"nobody has answered case {case.id}, so there is nothing to undo; see `{listing}`."
        raise DataError(msg)
    if not said.case:
        words = ("channel", detector, "unmute", str(said.channel))
        machine = (f"--entity={said.entity}",) if said.entity else ()
        msg = (
            f"case {case.id} is closed by the decision of {said.author} to accept its channel, "
            f"which is no answer about the case; decide anew: `{shell.plimsoll(*words, *machine)}`."
        )
        raise DataError(msg)
    undone = replace(
        said, answer=UNDO, note=reason.strip(), author=by.author, created_at=by.at, run_id=by.run
    )
    if said.answer == FAULT:
        mine = [
            replace(each, verdict=WITHDRAWN, note=undone.note, author=by.author, created_at=by.at)
            for each in labels_as_of(here, detector, by.at)
            if each.created_at == said.created_at
            and (each.start, each.end) == (said.start, said.end)
        ]
        add_labels(here, detector, mine)
    add_case_answer(here, detector, undone)
    log.info("case_answer_undone", detector=detector, case=case.id, author=by.author)
    day_metrics.open_items_changed(here, detector)
    return case, said


def _labels(case: Case, said: CaseAnswer) -> list[Label]:
    """The rows of a case as an incident, on each of its machines."""
    return [
        Label(
            start=said.start,
            end=said.end,
            entity=machine,
            verdict="incident",
            note=f"case {case.id}: {said.note}",
            author=said.author,
            created_at=said.created_at,
            run_id=said.run_id,
        )
        for machine in case.machines or (None,)
    ]


def _case_named(
    here: Deployment, detector: str, name: str, at: datetime
) -> tuple[Case, tuple[CaseAnswer, ...]]:
    """The case with the id `name`, and the answers in force.

    The id may be the one under which it was answered: late rows may have given it another one.
    """
    detector_named(here, detector)
    found = every_case(here, detector, date.max)
    answers = answers_known(here, detector, at)
    in_force = answers_in_force(answers, at)
    about = {case.id: answer_in_force(case, in_force) for case in found}
    for case in found:
        said = about[case.id]
        if name == case.id or (said is not None and name and name == said.case):
            return case, in_force
    known = [each.id for each in open_cases(found, answers, at)]
    raise DataError(_unknown(here, detector, name, known))


def _unknown(here: Deployment, detector: str, name: str, known: Sequence[str]) -> str:
    near = [each for each in known if name and each.startswith(name)][:_OFFERED]
    near = near or difflib.get_close_matches(name, known, n=_OFFERED)
    hint = f"the nearest: {', '.join(near)}" if near else f"open: {', '.join(known) or 'none'}"
    listing = this_shell(here).plimsoll("cases", detector)
    return (
        f"{detector} has no case {name!r}; {hint}. `{listing}` shows them, --all closed ones too."
    )


def _answered_already(here: Deployment, detector: str, case: Case, said: CaseAnswer) -> str:
    when = f"{said.created_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    undo = this_shell(here).plimsoll("cases", detector, "--undo", case.id, "--reason", "...")
    return (
        f"case {case.id} was answered `{said.answer}` by {said.author} on {when} UTC. To change "
        f"that, undo it first: `{undo}`."
    )
