"""The cases of a detector as they are on record, with what people said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pipeline.cases import Case, CaseAnswer, Doubling, newest_doubling, open_cases
from pipeline.cases.answers import answers_of_decisions
from pipeline.settings import Deployment
from pipeline.store.case_answers import case_answers_as_of
from pipeline.store.cases import case_records, cases_after
from pipeline.store.decisions import decisions_as_of


def answers_known(here: Deployment, detector: str, as_of: datetime) -> tuple[CaseAnswer, ...]:
    """What people said of cases by `as_of`; who accepts a channel has answered about its shift.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
    """
    accepted = answers_of_decisions(decisions_as_of(here, detector, as_of), as_of)
    return (*case_answers_as_of(here, detector, as_of), *accepted)


def open_on(here: Deployment, detector: str, day: date, *, now: datetime) -> tuple[Case, ...]:
    """The cases that were open after `day`, by what people had said at `now`; oldest first.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
        OutageError: the store does not answer.
    """
    unresolved = cases_after(here, detector, day)
    if not unresolved:
        return ()
    return open_cases(unresolved, answers_known(here, detector, now), now)


def doublings_of(
    here: Deployment, detector: str, cases: Sequence[Case], *, now: datetime
) -> tuple[tuple[Case, Doubling], ...]:
    """The newest doubling of each of `cases` that has one, by what people had said at `now`.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
    """
    grown = [case for case in cases if len(case.departures) > 1]
    if not grown:
        return ()
    answers = answers_known(here, detector, now)
    found = ((case, newest_doubling(case, answers, now)) for case in grown)
    return tuple((case, doubling) for case, doubling in found if doubling is not None)


def every_case(here: Deployment, detector: str, last: date) -> tuple[Case, ...]:
    """All cases up to `last`, open and closed, by start; reads the whole table.

    Raises:
        OutageError: the store does not answer.
    """
    return case_records(here, detector, None, last)
