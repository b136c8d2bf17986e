"""A day that nobody wanted, taken back: it counts no more, and its rows leave the tables.

A schedule that was unpaused late, or a slip in a form, brings a day that is not there to be judged.
Nothing is erased: the record of it grows by one line, and earlier versions of the tables keep its
rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import structlog

from pipeline import settings, tables
from pipeline.data.attempts import WITHDRAWN, Attempt, latest_states, record
from pipeline.data.labels import labels_as_of
from pipeline.errors import DataError
from pipeline.steps import metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.steps.oversight.status import within
from pipeline.table_schemas import TableName
from pipeline.table_upkeep import remove_days
from pipeline.tables import Table

EMPTIED: tuple[TableName, ...] = ("incidents", "scores", "telemetry", "quarantine")
"""Tables that lose the day's rows: what was told of it goes first, what it was told from last."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Forgetting:
    """What taking a day back means.

    Attributes:
        detector: its name.
        day: the UTC day.
        rows: rows of it in each table that holds any.
        expected: whether the schedule expects the day, which then counts as never ingested.
    """

    detector: str
    day: date
    rows: dict[TableName, int]
    expected: bool


def plan_forgetting(detector: str, day: date, *, now: datetime) -> Forgetting:
    """What would go. Changes nothing.

    Raises:
        DataError: nothing is on record of the day, or a person has said what it was: a verdict
            stays true, so the rows that it is about stay.
    """
    spec, root = detector_named(detector), settings.load().storage
    held = {name: _rows(Table(root, detector, name), day) for name in EMPTIED}
    if not latest_states(root, detector, day, day) and not any(held.values()):
        msg = f"{detector} has nothing on record of {day}, so there is nothing to take back."
        raise DataError(msg)
    said = labels_as_of(root, detector, now, first=day, last=day)
    if said and held["telemetry"]:
        first = said[0]
        msg = (
            f"{len(said)} labels are about {day}, the first by {first.author} on {first.start} to "
            f"{first.end}. What a person has judged stays: training and the gate rest on it. "
            "Nothing was changed."
        )
        raise DataError(msg)
    due = within(spec, day) and day < now.astimezone(UTC).date()
    return Forgetting(detector, day, {name: count for name, count in held.items() if count}, due)


def forget(planned: Forgetting, reason: str, author: str, *, now: datetime) -> None:
    """Take the day back, and say so in `ingestions` and `scorings`; again does no harm.

    Raises:
        OutageError: the store does not answer; what was begun is finished by doing it again.
    """
    root, detector, day = settings.load().storage, planned.detector, planned.day
    told = f"taken back by {author}: {reason}"
    for name in EMPTIED:
        remove_days(Table(root, detector, name), [day], metadata={"why": told})
    line = {"date": day, "scored_at": now, "run_id": author, "verdict": WITHDRAWN, "reason": told}
    tables.append(Table(root, detector, "scorings"), [line])
    record([Attempt(day, now, author, "withdrawn", WITHDRAWN, told)], root, detector)
    log.info("day_taken_back", detector=detector, day=str(day), author=author, reason=reason)
    metrics_hooks.open_items(detector)


def _rows(table: Table, day: date) -> int:
    return len(tables.read(table, columns=[], first_day=day, last_day=day, keep_date=True))
