"""Forgetting a day that was ingested by mistake: its rows are removed from the tables.

A schedule that was unpaused late, or a typing error in a form, brings such a day. Nothing is
erased: a row on record says that it was taken back, and earlier versions of the tables keep its
rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import structlog

from pipeline.data.label import labels_in_force
from pipeline.errors import DataError
from pipeline.monitoring.day_status import within
from pipeline.settings import Deployment
from pipeline.steps import day_metrics
from pipeline.steps.candidate import detector_named
from pipeline.store.cases import carry_on_after
from pipeline.store.days import settle_days
from pipeline.store.ingestions import WITHDRAWN, Attempt, latest_states, record
from pipeline.store.labels import labels_as_of
from pipeline.store.scorings import record_scores_withdrawn
from pipeline.store.upkeep import remove_day, rows_on
from pipeline.tables.schemas import TableName

log = structlog.get_logger()


@dataclass(frozen=True)
class Forgetting:
    """The plan for forgetting a day.

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


def plan_forgetting(here: Deployment, detector: str, day: date, *, now: datetime) -> Forgetting:
    """The plan of what would be removed. Changes nothing.

    Raises:
        DataError: nothing is on record of the day, or a person has labelled it: rows with a label
            stay.
    """
    spec = detector_named(here, detector)
    held = rows_on(here, detector, day)
    if not latest_states(here, detector, day, day) and not any(held.values()):
        msg = f"{detector} has nothing on record of {day}, so there is nothing to take back."
        raise DataError(msg)
    # What was taken back is no label any more, nor is what takes it back.
    labels = labels_in_force(labels_as_of(here, detector, now, first=day, last=day))
    if labels and held["telemetry"]:
        first = labels[0]
        msg = (
            f"{len(labels)} labels are about {day}, the first by {first.author} on {first.start} "
            f"to {first.end}. Rows with a label stay: training and the gate use them. Nothing was "
            "changed."
        )
        raise DataError(msg)
    due = within(spec, day) and day < now.astimezone(UTC).date()
    return Forgetting(detector, day, {name: count for name, count in held.items() if count}, due)


def forget(
    here: Deployment, planned: Forgetting, reason: str, author: str, *, now: datetime
) -> None:
    """Remove the day's rows, and record it in `ingestions` and `scorings`; may be repeated.

    Raises:
        OutageError: the store does not answer; a repetition completes it.
    """
    detector, day = planned.detector, planned.day
    note = f"taken back by {author}: {reason}"
    remove_day(here, detector, day, note)
    carry_on_after(here, detector, day)
    record_scores_withdrawn(here, detector, day, note, now=now, author=author)
    record(here, detector, [Attempt(day, now, author, "withdrawn", WITHDRAWN, note)])
    settle_days(here, detector)
    log.info("day_taken_back", detector=detector, day=str(day), author=author, reason=reason)
    day_metrics.open_items_changed(here, detector)
