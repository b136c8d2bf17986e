"""The rows that cases are about, with what people said of them: for training and the gate. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.cases.answers import (
    NORMAL_FROM_NOW_ON,
    UNDO,
    Answer,
    CaseAnswer,
    answered_parts,
    answers_in_force,
    went_on_anew,
)
from pipeline.cases.records import Case, CaseKind

_JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True)
class CaseSpan:
    """Rows that a case is about.

    Attributes:
        case: its id.
        kind: its kind.
        entity: the machine; None: every machine.
        channels: whose cells they are; None: whole rows.
        start: first row.
        end: last row.
        answer: what a person said; None: nobody has answered.
        answered_at: when; None likewise.
    """

    case: str
    kind: CaseKind
    entity: str | None
    channels: tuple[str, ...] | None
    start: datetime
    end: datetime
    answer: Answer | None
    answered_at: datetime | None


def accepted_spans(
    records: Iterable[Case], answers: Sequence[CaseAnswer], as_of: datetime
) -> tuple[CaseSpan, ...]:
    """The rows of the cases that a person has called normal, for training and the gate."""
    return tuple(
        span for span in _spans(records, answers, as_of) if span.answer == NORMAL_FROM_NOW_ON
    )


def unaccepted_spans(
    records: Iterable[Case], answers: Sequence[CaseAnswer], as_of: datetime
) -> tuple[CaseSpan, ...]:
    """The rows of the cases that nobody has called normal: what training must not learn.

    Also those of cases that are closed: data that returned do not make a fault normal. And those
    since a case that was called normal has gone on anew.
    """
    return tuple(
        span for span in _spans(records, answers, as_of) if span.answer != NORMAL_FROM_NOW_ON
    )


def _spans(
    records: Iterable[Case], answers: Sequence[CaseAnswer], as_of: datetime
) -> Iterator[CaseSpan]:
    in_force = answers_in_force(answers, as_of)
    for case in sorted(records, key=lambda one: (one.start, one.id)):
        if not case.told:
            continue
        parts = list(answered_parts(case, in_force))
        said = parts[-1][1]
        anew = None if said is None else went_on_anew(case, said)
        if anew is not None:
            parts.append((anew, None))
        ends = [*(start - _JUST_BEFORE for start, _ in parts[1:]), case.last_row]
        for (start, said), end in zip(parts, ends, strict=True):
            for machine in case.machines or (None,):
                yield CaseSpan(
                    case=case.id,
                    kind=case.kind,
                    entity=machine,
                    channels=case.channels if case.kind == "shift" else None,
                    start=start,
                    end=end,
                    answer=None if said is None or said.answer == UNDO else said.answer,
                    answered_at=None if said is None else said.created_at,
                )
