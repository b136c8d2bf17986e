"""A person's input, parsed into a label, or rejected with the reason and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.grid import require_day
from pipeline.data.label import Label, Verdict
from pipeline.data.meaning import spans
from pipeline.errors import DataError
from pipeline.incidents import Incident
from pipeline.shell import this_shell
from pipeline.steps.incidents import incidents_between
from pipeline.tables import Table
from pipeline.tables.scan import frame_of, scan

_OFFERED = 3

LONGEST = timedelta(days=31)
"""A typing error in month or year must not label a whole season; two labels still can."""

Span = tuple[datetime, datetime, str | None]


@dataclass(frozen=True)
class LabelRequest:
    """A person's verdict as it was typed: about an incident by its id, or about a span.

    Attributes:
        verdict: `incident` or `normal`.
        note: the reason.
        incident: id of an incident, as its notification shows it.
        start: first moment, ISO 8601 with a zone; a plain day means its first moment, UTC.
        end: last moment, included; a plain day means its last moment.
        entity: the machine; None: all of them.
    """

    verdict: Verdict
    note: str = ""
    incident: str | None = None
    start: str | None = None
    end: str | None = None
    entity: str | None = None


@dataclass(frozen=True)
class Author:
    """The author of an answer, and its time.

    Attributes:
        author: the name.
        at: the time, with a zone.
        run: the Airflow run, which records an answer once however often it is run; empty from the
            command line.
    """

    author: str
    at: datetime
    run: str = ""


def label_from_request(spec: DetectorSpec, answer: LabelRequest, by: Author, root: str) -> Label:
    """The label for `answer`.

    Raises:
        DataError: it is not a valid label: the span ends before it starts or in the future, is
            longer than LONGEST, names an unknown machine, or holds no telemetry.
    """
    if answer.incident:
        start, end, entity = _span_of(spec, answer, root)
    else:
        start, end, entity = _span_given(spec, answer)
    made = Label(start, end, entity, answer.verdict, answer.note, by.author, by.at, by.run)
    if telemetry_in(spec, made, root).empty:
        days = tables.days_in(Table(root, spec.name, "telemetry"))
        held = f"{days[0]} to {days[-1]}" if days else "nothing yet"
        msg = (
            f"{spec.name} has no telemetry of {entity or 'any machine'} from {start} to {end}, so "
            f"the label would cover no row; the table holds {held}. Correct the span, or ingest "
            "these days first."
        )
        raise DataError(msg)
    return made


def moment_of(name: str, given: str, *, last: bool = False) -> datetime:
    """`given` as a time with a zone; a plain day is its first (or `last`) moment, UTC.

    Raises:
        DataError: it is not a time, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(given.strip())
        require_day(moment.date())
        is_day = len(given.strip()) == len("2014-05-01")
    except ValueError:
        msg = (
            f"{name} {given!r} is not a time; write 2014-05-01T10:20Z, or 2014-05-01 for that day."
        )
        raise DataError(msg) from None
    if is_day:
        return datetime.combine(moment, time.max if last else time(), UTC)
    if moment.utcoffset() is None:
        msg = f"{name} {given} has no time zone; write {given}Z if it is UTC."
        raise DataError(msg)
    return moment.astimezone(UTC)


def known_machine(spec: DetectorSpec, entity: str | None) -> str | None:
    """`entity`, or None for all machines.

    Raises:
        DataError: the detector file does not list this machine, or there is only one machine.
    """
    known = spec.columns.entities
    if entity and (spec.columns.entity is None or (known and entity not in known)):
        choice = f"choose from {', '.join(known)}, or " if known else ""
        msg = f"{spec.name} has no machine {entity!r}; {choice}leave it out for all."
        raise DataError(msg)
    return entity or None


def all_incidents(spec: DetectorSpec, first: date, last: date, *, root: str) -> list[Incident]:
    """Incidents with rows on these days, and every flagged episode too short to be an incident."""
    counted = spec.incidents.model_copy(update={"minimum_rows": 1})
    short_ones_too = spec.model_copy(update={"incidents": counted})
    return incidents_between(short_ones_too, first, last, root=root)


def telemetry_in(spec: DetectorSpec, span: Label, root: str) -> pd.DataFrame:
    """Time and entity of the telemetry rows that `span` covers.

    Raises:
        DataError: these rows were ingested when the time or the machine had another column.
    """
    columns = spec.columns
    table = Table(root, spec.name, "telemetry")
    first, last = span.start.date(), span.end.date()
    rows = frame_of(scan(table, first, last, columns=columns.row_key)[1])
    for name in columns.row_key:
        if len(rows) and (name not in rows or rows[name].isna().any()):
            msg = (
                f"{table.uri}: rows of {spans([first, last])} have no column {name}; they were "
                "ingested before the detector file had it, so it is unknown which of them the "
                "label means. Ingest these days again with the load DAG, then label them."
            )
            raise DataError(msg)
    rows = rows.reindex(columns=columns.row_key)
    covered = rows[columns.timestamp].between(span.start, span.end)
    if span.entity is not None:
        covered &= rows[columns.entity] == span.entity
    return rows[covered]


def _span_of(spec: DetectorSpec, answer: LabelRequest, root: str) -> Span:
    if answer.start or answer.end or answer.entity:
        msg = (
            f"incident {answer.incident} says already where and when; give either the incident or "
            "start, end and entity."
        )
        raise DataError(msg)
    days = tables.days_in(Table(root, spec.name, "incidents"))
    found = all_incidents(spec, days[0], days[-1], root=root) if days else []
    for each in found:
        if each.id == answer.incident:
            return each.start.to_pydatetime(), each.end.to_pydatetime(), each.entity or None
    listed = this_shell().plimsoll("label", spec.name, "--list")
    msg = (
        f"{spec.name} has no incident {answer.incident!r}; {_choice(str(answer.incident), found)}. "
        f"`{listed}` shows those that wait for an answer."
    )
    raise DataError(msg)


def _choice(given: str, found: Sequence[Incident]) -> str:
    """The ids nearest to `given`; without a near one the newest."""
    newest_first = [each.id for each in reversed(found)]
    begins = [each for each in newest_first if given.strip() and each.startswith(given.strip())]
    near = begins[:_OFFERED] or difflib.get_close_matches(given, newest_first, n=_OFFERED)
    if near:
        return f"the nearest: {', '.join(near)}"
    return f"newest: {', '.join(newest_first[:_OFFERED][::-1]) or 'none'}"


def _span_given(spec: DetectorSpec, answer: LabelRequest) -> Span:
    if not (answer.start and answer.end):
        msg = (
            f"start is {answer.start!r}, end is {answer.end!r} and no incident is named; give both "
            "ends of a span, or the id of an incident."
        )
        raise DataError(msg)
    entity = known_machine(spec, answer.entity)
    start = moment_of("start", answer.start)
    end = moment_of("end", answer.end, last=True)
    if end - start > LONGEST:
        msg = (
            f"{start} to {end} are {(end - start).days} days; one label covers {LONGEST.days} at "
            "most. Correct the dates, or label the span in parts."
        )
        raise DataError(msg)
    return start, end, entity
