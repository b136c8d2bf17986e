"""What people said of cases, and what that makes of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from pipeline.cases.growth import Doubling, doublings
from pipeline.cases.records import DEGRADATION, Case, CaseKey, CaseKind
from pipeline.data.decision import ChannelDecision
from pipeline.data.label import require_zone
from pipeline.errors import DataError

Answer = Literal["normal from now on", "was a fault"]
"""What closes a case."""

Undo = Literal["undo"]

NORMAL_FROM_NOW_ON: Answer = "normal from now on"
FAULT: Answer = "was a fault"
UNDO: Undo = "undo"

ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True)
class CaseAnswer:
    """A person's answer about a case; like a label it is never erased.

    It is about the case of its kind, machine and channel whose rows its span touches: late rows
    and another version may give that case another start, and with it another id.

    Attributes:
        case: id of the case when it was answered.
        kind: of the case.
        entity: its machine; None: there is one only, or the case is the detector's.
        channel: of a shift; None: of no single one.
        start: first row of the case; of one that went on anew after an answer, the first row since.
        end: its last row when it was answered.
        answer: `normal from now on`, `was a fault`, or `undo` of the newest one before.
        note: the reason, in the author's words.
        author: who answered.
        created_at: when.
        run_id: the Airflow run that carried it; empty from the command line.

    Raises:
        DataError: on construction, if a time has no zone, or the answer, the reason or the author
            is not valid.
    """

    case: str
    kind: CaseKind
    entity: str | None
    channel: str | None
    start: datetime
    end: datetime
    answer: Answer | Undo
    note: str
    author: str
    created_at: datetime
    run_id: str = ""

    def __post_init__(self) -> None:
        for name in ("start", "end", "created_at"):
            require_zone(name, getattr(self, name))
        if self.answer not in (*ANSWERS, UNDO):
            msg = f"answer {self.answer!r} is unknown; write one of {ANSWERS}."
            raise DataError(msg)
        if not self.author.strip():
            msg = "the author is empty; an answer needs a person who answers for it."
            raise DataError(msg)
        if not self.note.strip():
            msg = "the reason is empty; an answer needs one sentence that says why."
            raise DataError(msg)

    @property
    def key(self) -> CaseKey:
        """The place of its case among the unresolved."""
        if self.kind == DEGRADATION:
            return DEGRADATION, "", ""
        return self.kind, self.entity or "", self.channel or ""


def answers_in_force(answers: Iterable[CaseAnswer], as_of: datetime) -> tuple[CaseAnswer, ...]:
    """The answers given by `as_of` that nobody has undone by then, oldest first."""
    kept: list[CaseAnswer] = []
    for each in sorted(answers, key=lambda one: (one.created_at, one.case)):
        if each.created_at > as_of:
            break
        if each.answer != UNDO:
            kept.append(each)
            continue
        undone = [place for place, one in enumerate(kept) if one.case == each.case]
        if undone:
            del kept[undone[-1]]
    return tuple(kept)


def answers_of_decisions(
    decisions: Sequence[ChannelDecision], as_of: datetime
) -> tuple[CaseAnswer, ...]:
    """The decisions that accept a channel's level, as answers about its shift.

    Who accepts a channel has said that its level is normal. A later decision about the channel
    takes the place of an earlier one; to mute a channel, or to score it all the same, is no answer.
    """
    newest: dict[tuple[str, str | None], ChannelDecision] = {}
    for each in sorted(decisions, key=lambda one: (one.created_at, one.since)):
        if each.created_at <= as_of:
            newest[each.channel, each.entity] = each
    return tuple(
        CaseAnswer(
            case="",
            kind="shift",
            entity=each.entity,
            channel=each.channel,
            start=each.since,
            end=max(each.since, each.created_at),
            answer=NORMAL_FROM_NOW_ON,
            note=each.note or "the channel was accepted",
            author=each.author,
            created_at=each.created_at,
            run_id=each.run_id,
        )
        for each in newest.values()
        if each.decision == "accept"
    )


def answer_in_force(case: Case, in_force: Sequence[CaseAnswer]) -> CaseAnswer | None:
    """The newest of the answers in force that is about `case`; None: nobody has answered."""
    return answered_parts(case, in_force)[-1][1]


def unanswered_since(case: Case, in_force: Sequence[CaseAnswer]) -> datetime | None:
    """First row of `case` that nobody has answered for; None: all that it has shown is answered."""
    start, said = answered_parts(case, in_force)[-1]
    if said is None:
        return start
    if said.answer == FAULT:
        return start if case.last_row > said.created_at else None
    return went_on_anew(case, said)


def went_on_anew(case: Case, said: CaseAnswer) -> datetime | None:
    """When `case` first went on anew, or outgrew it, after it was called normal; None: it did not.

    By the time of the data and not of the answer, which a backfill may be far behind.
    """
    if said.answer != NORMAL_FROM_NOW_ON:
        return None
    grown = (each.at for each in doublings(case, said.end))
    return min((*(each for each in case.resumed if each > said.end), *grown), default=None)


def newest_doubling(case: Case, answers: Sequence[CaseAnswer], as_of: datetime) -> Doubling | None:
    """The newest doubling of a shift, of the distance that was told or called normal by `as_of`."""
    said = answer_in_force(case, answers_in_force(answers, as_of))
    accepted = said.end if said is not None and said.answer == NORMAL_FROM_NOW_ON else None
    return next(reversed(doublings(case, accepted)), None)


def answered_parts(
    case: Case, in_force: Sequence[CaseAnswer]
) -> tuple[tuple[datetime, CaseAnswer | None], ...]:
    """The parts of a case, each with its first row and the newest answer about it; at least one.

    An answer about what went on anew leaves the one before it in place for the rows before.
    """
    parts: list[tuple[datetime, CaseAnswer | None]] = [(case.start, None)]
    about = (each for each in in_force if _is_about(each, case))
    for each in sorted(about, key=lambda one: one.created_at):
        start, said = parts[-1]
        if said is not None and said.answer == NORMAL_FROM_NOW_ON and each.start > said.end:
            parts.append((each.start, each))
        else:
            parts[-1] = start, each
    return tuple(parts)


def _is_about(answer: CaseAnswer, case: Case) -> bool:
    kind, machine, channel = answer.key
    if not answer.case and answer.entity is None:
        machine = case.key[1]  # a decision about a channel of all machines
    same = case.key == (kind, machine, channel)
    return same and answer.start <= case.last_row and case.start <= answer.end


def open_cases(
    records: Iterable[Case], answers: Sequence[CaseAnswer], as_of: datetime
) -> tuple[Case, ...]:
    """The cases of `records` that nothing has closed by `as_of`, oldest first.

    `normal from now on` closes a case for as long as it lasts without a break and a shift is less
    than twice as far out: where it goes on anew after the answer, or outgrows it, it is open again.
    `was a fault` says nothing of rows that come after the answer: where they still show the same,
    the case is open again.
    """
    in_force = answers_in_force(answers, as_of)
    return tuple(sorted(_open(records, in_force), key=lambda case: (case.start, case.id)))


def _open(records: Iterable[Case], in_force: Sequence[CaseAnswer]) -> Iterator[Case]:
    for case in records:
        if case.returned is not None or not case.told:
            continue
        said, since = answer_in_force(case, in_force), unanswered_since(case, in_force)
        if since is None:
            continue
        if said is None:
            yield case
        elif said.answer == FAULT:
            called = f"{said.author} called it a fault on {said.created_at:%Y-%m-%d}"
            yield replace(case, why=f"{case.why} It goes on after {called}.")
        else:
            yield replace(case, why=f"{case.why} {_anew(case, said, since)}")


def _anew(case: Case, said: CaseAnswer, since: datetime) -> str:
    grown = next((each for each in doublings(case, said.end) if each.at == since), None)
    if grown is None:
        return f"It went on anew on {since:%Y-%m-%d}, after {said.author} called it normal."
    if grown.times is None:
        here, there = ("above", "below") if grown.above else ("below", "above")
        far = f"{here} that range and not {there} it"
        return f"Since {since:%Y-%m-%d} it is {far}, where {said.author} called it normal."
    far = f"{grown.times:.1f} times as far outside"
    return f"Since {since:%Y-%m-%d} it is {far} as when {said.author} called it normal."
