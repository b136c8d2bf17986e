"""What people said of candidates and of cases, for the command `ledger`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.cases import CaseAnswer
from pipeline.errors import UnprovenAnswer
from pipeline.records import to_json
from pipeline.settings import Deployment


@dataclass(frozen=True)
class SaidOfCases:
    """The answers about the cases of a detector.

    Attributes:
        answers: all of them, oldest first; none where one is not proven.
        fault: which one is not proven; empty: all are.
    """

    answers: tuple[CaseAnswer, ...]
    fault: str

    def lines(self) -> Iterator[str]:
        """A line for each answer, with a title where there is one."""
        if self.fault:
            yield f"  answers about cases ARE NOT PROVEN: {self.fault}"
        elif self.answers:
            yield "  answers about cases, signed:"
        for each in self.answers:
            when = f"{each.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            about = ", ".join(part for part in (each.kind, each.entity, each.channel) if part)
            yield f"  {when}  case {each.case}, {about}: {each.answer}"
            yield f"     {each.author}: {each.note}"

    def as_json(self) -> dict[str, object]:
        """The same for machines."""
        return {
            "case_answers": [to_json(each) for each in self.answers],
            "case_answers_fault": self.fault,
        }


def said_of_cases(here: Deployment, detector: str) -> SaidOfCases:
    """What people have said of the cases of `detector` so far."""
    from pipeline.store.case_answers import case_answers_as_of

    try:
        return SaidOfCases(case_answers_as_of(here, detector, datetime.now(UTC)), "")
    except UnprovenAnswer as error:
        return SaidOfCases((), str(error))


def approval_text(text: str) -> str:
    """A person's signed answer about a candidate."""
    try:
        answer = json.loads(text)
        return f"{answer['who']}: {answer['answer']}, {answer['at']}"
    except (ValueError, KeyError, TypeError):
        return f"nobody: {text[:80]}"
