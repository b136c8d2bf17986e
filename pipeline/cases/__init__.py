"""Open cases: what is unresolved, until the raw data return or a person answers. Pure.

A case is one fault, or one change, that lasts: a sustained episode of flagged rows, a channel out
of its training range, a regime, a slow degradation. `facts` says what the rows of one day show,
`folding` carries the cases from day to day, `answers` says which of them people have closed.

Nothing closes a case but its data and an answer. So what is muted, snoozed or silent is left out
of it: facts are measured on raw values and on scores without muting, a machine that sends nothing
shows nothing, and a later version with a wider training range does not make a value "back".
"""

from pipeline.cases.answers import (
    ANSWERS,
    FAULT,
    NORMAL_FROM_NOW_ON,
    UNDO,
    Answer,
    CaseAnswer,
    answer_in_force,
    answers_in_force,
    newest_doubling,
    open_cases,
    unanswered_since,
)
from pipeline.cases.facts import CaseLimits, day_facts
from pipeline.cases.folding import fold
from pipeline.cases.growth import Doubling, doublings
from pipeline.cases.measured import DayValues, day_values
from pipeline.cases.records import (
    NOTHING,
    Case,
    CaseKind,
    CaseState,
    ChannelRange,
    DayFacts,
    SeenDegradation,
    case_id,
)
from pipeline.cases.spans import CaseSpan, accepted_spans, unaccepted_spans

__all__ = [
    "ANSWERS",
    "FAULT",
    "NORMAL_FROM_NOW_ON",
    "NOTHING",
    "UNDO",
    "Answer",
    "Case",
    "CaseAnswer",
    "CaseKind",
    "CaseLimits",
    "CaseSpan",
    "CaseState",
    "ChannelRange",
    "DayFacts",
    "DayValues",
    "Doubling",
    "SeenDegradation",
    "accepted_spans",
    "answer_in_force",
    "answers_in_force",
    "case_id",
    "day_facts",
    "day_values",
    "doublings",
    "fold",
    "newest_doubling",
    "open_cases",
    "unaccepted_spans",
    "unanswered_since",
]
