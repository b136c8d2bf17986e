"""A person's answer as it was typed, parsed, or rejected with the reason and the fix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from pipeline.config import DetectorSpec
from pipeline.data.grid import require_day
from pipeline.data.label import Verdict
from pipeline.errors import DataError

LONGEST = timedelta(days=31)
"""A typing error in month or year must not label a whole season; two labels still can."""

Span = tuple[datetime, datetime, str | None]
"""First and last moment, and the machine; None: every machine."""


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


def span_given(spec: DetectorSpec, answer: LabelRequest) -> Span:
    """The span that `answer` names, with its machine.

    Raises:
        DataError: an end is missing or no time, the machine is unknown, or it is over LONGEST.
    """
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
