"""The table `case_answers`: what people said of cases. It only grows, like `labels`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from pipeline.cases import CaseAnswer
from pipeline.data.label import require_zone
from pipeline.settings import Deployment
from pipeline.store import answered
from pipeline.tables import Table


def add_case_answer(here: Deployment, detector: str, answer: CaseAnswer) -> None:
    """Append `answer`, signed.

    Raises:
        ConfigError: this process does not hold the private key of answers.
    """
    answered.add(here, _table(here, detector), [asdict(answer)])


def case_answers_as_of(here: Deployment, detector: str, as_of: datetime) -> tuple[CaseAnswer, ...]:
    """The answers given by `as_of`, oldest first; those that were undone included.

    Raises:
        UnprovenAnswer: one that no trusted key has signed.
    """
    require_zone("as_of", as_of)
    rows = answered.given_by(here, _table(here, detector), as_of.astimezone(UTC).date())
    known = [CaseAnswer(**row) for row in rows]
    return tuple(
        sorted(
            (each for each in known if each.created_at <= as_of),
            key=lambda each: (each.created_at, each.case),
        )
    )


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "case_answers")
