"""Incidents joined across days."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.incidents.joining import Incident, joined
from pipeline.steps.day_scores import within
from pipeline.steps.score_tables import parts_of
from pipeline.tables import Table
from pipeline.utc_day import midnight

_FIRST_REACH = timedelta(days=8)


def incidents_between(spec: DetectorSpec, first: date, last: date, *, root: str) -> list[Incident]:
    """Incidents that touch the days `first` to `last`, by start; days after `last` are not read.

    One that began before `first` is followed back to its start, so that its id is always the same.
    """
    table, (flags, shifts) = Table(root, spec.name, "incidents"), within(spec)
    opens = pd.Timestamp(midnight(first))
    back = _FIRST_REACH
    while True:
        rows = tables.read(table, first_day=first - back, last_day=last)
        found = joined(parts_of(rows), flags, shifts, minimum_rows=spec.incidents.minimum_rows)
        found = [incident for incident in found if incident.end >= opens]
        begins = min((incident.start for incident in found), default=opens)
        # Complete once nothing touches the edge of what was read.
        if begins - (opens - back) > shifts or _nothing_before(table, first - back):
            return found
        back *= 4


def _nothing_before(table: Table, day: date) -> bool:
    held = tables.days_in(table)
    return not held or held[0] >= day
