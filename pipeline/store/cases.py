"""The table `cases`: for each scored day the facts of its rows, and the cases after it.

The cases after a day follow from the cases after the day before and from the day's facts. So a
scored day costs two rows, however long the history; a day that is scored again, late or taken back
is carried on through the days after it, as far as their cases change. Each row names the cases that
it was made from, so a row that a writer of another day has overtaken is noticed and made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

import pyarrow as pa
from pydantic import TypeAdapter

from pipeline import tables
from pipeline.cases import NOTHING, Case, CaseState, DayFacts, SeenDegradation, fold
from pipeline.errors import OutageError, TableConflict
from pipeline.retrying import ATTEMPTS, retried
from pipeline.settings import Deployment
from pipeline.tables import Table
from pipeline.tables.layout import laid_out

_AT_ONCE = timedelta(days=31)  # days read at a time, where a change is carried on
_FACTS = TypeAdapter(DayFacts)
_SAID = TypeAdapter(tuple[SeenDegradation, ...])
_STATE = TypeAdapter(CaseState)
_CASES = TypeAdapter(tuple[Case, ...])


@dataclass(frozen=True)
class _Row:
    """A day of the table, as text: to compare it is enough, and to carry on one is parsed."""

    basis: str
    facts: str
    said: str
    state: str
    returned: str


_EMPTY_STATE = _STATE.dump_json(CaseState()).decode()
_BLANK = _Row("", "", "[]", _EMPTY_STATE, "[]")


def settle_cases(here: Deployment, detector: str, facts: Mapping[date, DayFacts]) -> int:
    """Write the facts of days, and the cases of these and of all days that they change.

    Returns the number of days written: none where the facts are those on record.

    Raises:
        OutageError: the store does not answer, or other writers kept coming first.
    """
    texts = {
        day: "" if each == NOTHING else _FACTS.dump_json(each).decode()
        for day, each in facts.items()
    }
    return _carried(here, detector, {day: {"facts": text} for day, text in texts.items()})


def state_degradation(here: Deployment, detector: str, said: SeenDegradation) -> int:
    """Put on record what the watch of the scores says of a day; returns the days written.

    It takes the place of what was said of the same day before, and stays when the day is scored
    again.

    Raises:
        OutageError: the store does not answer, or other writers kept coming first.
    """
    text = _SAID.dump_json((said,)).decode()
    return _carried(here, detector, {said.day: {"said": text}})


def carry_on_after(here: Deployment, detector: str, day: date) -> int:
    """Carry the cases on after `day` was taken out of the table; returns the days written.

    Raises:
        OutageError: the store does not answer, or other writers kept coming first.
    """
    after = [held for held in tables.days_in(_table(here, detector)) if held > day]
    return _carried(here, detector, {after[0]: {}}) if after else 0


def cases_after(here: Deployment, detector: str, day: date) -> tuple[Case, ...]:
    """The unresolved cases after the newest scored day up to `day`, whatever people answered."""
    held = [each for each in tables.days_in(_table(here, detector)) if each <= day]
    if not held:
        return ()
    row = _rows(here, detector, held[-1], held[-1])[held[-1]]
    return _told(row)


def case_records(
    here: Deployment, detector: str, first: date | None, last: date
) -> tuple[Case, ...]:
    """All cases with rows on `first` (None: ever) to `last`, as known after `last`; by start.

    Those that returned since `first`, and those that are unresolved.
    """
    table = _table(here, detector)
    rows = tables.read(table, columns=["returned"], first_day=first, last_day=last)
    closed = [case for text in rows["returned"] for case in _CASES.validate_json(text)]
    found = [*closed, *cases_after(here, detector, last)]
    touching = [case for case in found if first is None or case.last_row.date() >= first]
    return tuple(sorted(touching, key=lambda case: (case.start, case.id)))


def _told(row: _Row) -> tuple[Case, ...]:
    return tuple(case for case in _STATE.validate_json(row.state).cases if case.told)


def _carried(here: Deployment, detector: str, given: Mapping[date, Mapping[str, str]]) -> int:
    if not given:
        return 0
    lost = (
        f"{_table(here, detector).uri}: other writers came first {ATTEMPTS} times in a row. Retry, "
        "or let fewer runs score the same detector at once."
    )
    once, written = partial(_carried_once, here, detector, given), 0
    for _ in range(ATTEMPTS):
        changed, alone = retried(once, on=TableConflict, lost=lost)
        written += changed
        if alone:
            return written
    raise OutageError(lost)


def _carried_once(
    here: Deployment, detector: str, given: Mapping[date, Mapping[str, str]]
) -> tuple[int, bool]:
    """The number of days written, and whether nobody wrote others meanwhile.

    Days before these may have other cases by then, although their rows are not ours.
    """
    table = _table(here, detector)
    version = tables.current_version(table)
    changed = dict(_changed(here, detector, given))
    if not changed:
        return 0, True
    content, based_on = _laid_out(changed), version or 0
    made = tables.replace_days(table, sorted(changed), content, metadata={}, based_on=based_on)
    return len(changed), made == based_on + 1


def _changed(
    here: Deployment, detector: str, given: Mapping[date, Mapping[str, str]]
) -> Iterator[tuple[date, _Row]]:
    """The rows to write: of the given days, and of later ones as far as their cases change."""
    first, last = min(given), max(given)
    held = tables.days_in(_table(here, detector))
    before = [day for day in held if day < first]
    known = _rows(here, detector, before[-1] if before else first, last)
    state = known[before[-1]].state if before else _EMPTY_STATE
    for day in sorted({*given, *(day for day in held if first <= day <= last)}):
        row, was = replace(known.get(day, _BLANK), **given.get(day, {})), known.get(day)
        if was is None and not row.facts and row.said == "[]":
            continue  # nothing was scored, and nothing is on record
        made = _folded(state, day, row)
        state = made.state
        if made != was:
            yield day, made
    after = [day for day in held if day > last]
    while after:
        part = [day for day in after if day <= after[0] + _AT_ONCE]
        known = _rows(here, detector, part[0], part[-1])
        for day in part:
            if known[day].basis == _hash(state):
                return
            made = _folded(state, day, known[day])
            state = made.state
            yield day, made
        after = after[len(part) :]


def _folded(before: str, day: date, row: _Row) -> _Row:
    facts = _FACTS.validate_json(row.facts) if row.facts else NOTHING
    said = _SAID.validate_json(row.said)
    state, returned = fold(_STATE.validate_json(before), day, facts, said)
    return replace(
        row,
        basis=_hash(before),
        state=_STATE.dump_json(state).decode(),
        returned=_CASES.dump_json(returned).decode(),
    )


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()[:32]


def _rows(here: Deployment, detector: str, first: date, last: date) -> dict[date, _Row]:
    names = ["basis", "facts", "said", "state", "returned"]
    frame = tables.read(
        _table(here, detector), columns=names, first_day=first, last_day=last, keep_date=True
    )
    columns = (frame[name] for name in names)
    return dict(zip(frame["date"], map(_Row, *columns), strict=True))


def _laid_out(rows: Mapping[date, _Row]) -> pa.Table:
    return laid_out("cases", [{"date": day, **vars(row)} for day, row in sorted(rows.items())])


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "cases")
