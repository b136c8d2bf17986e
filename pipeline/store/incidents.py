"""The table `incidents`: one row for each part of an incident within one day.

`pipeline.store.score_writing` writes it, together with `scores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.detector.attribution import blame_as_text, blame_from_text
from pipeline.incidents.joining import Incident, joined
from pipeline.incidents.parts import IncidentPart, largest_gaps
from pipeline.settings import Deployment
from pipeline.tables import Table
from pipeline.utc_day import midnight

_FIRST_REACH = timedelta(days=8)


def incident_days(here: Deployment, detector: str) -> list[date]:
    """The days with parts of incidents, oldest first."""
    return tables.days_in(_table(here, detector))


def incidents_between(
    here: Deployment, spec: DetectorSpec, first: date, last: date
) -> list[Incident]:
    """Incidents that touch the days `first` to `last`, by start; days after `last` are not read.

    One that began before `first` is followed back to its start, so that its id is always the same.
    """
    flags, shifts = largest_gaps(spec)
    opens = pd.Timestamp(midnight(first))
    back = _FIRST_REACH
    while True:
        rows = tables.read(_table(here, spec.name), first_day=first - back, last_day=last)
        found = joined(parts_of(rows), flags, shifts, minimum_rows=spec.incidents.minimum_rows)
        found = [incident for incident in found if incident.end >= opens]
        begins = min((incident.start for incident in found), default=opens)
        # Complete once nothing touches the edge of what was read.
        if begins - (opens - back) > shifts or _nothing_before(here, spec.name, first - back):
            return found
        back *= 4


def raised_parts(
    here: Deployment,
    detector: str,
    columns: Sequence[str],
    *,
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    """`columns` of the parts on `first` to `last` (both included) that were not withdrawn."""
    table = _table(here, detector)
    return tables.read_where(
        table, "status", "raised", columns=columns, first_day=first, last_day=last
    )


def parts_of(rows: pd.DataFrame) -> list[IncidentPart]:
    """Rows of the table as records."""
    plain = rows.drop(columns="date", errors="ignore").to_dict("records")
    return [
        IncidentPart(
            **{**{str(k): v for k, v in row.items()}, "features": blame_from_text(row["features"])}
        )
        for row in plain
    ]


def rows_of(day: date, parts: Sequence[IncidentPart]) -> pd.DataFrame:
    """The inverse of `parts_of`, for the parts of one day; without columns where there are none."""
    if not parts:
        return pd.DataFrame()
    rows = pd.DataFrame([vars(part) for part in parts])
    rows["features"] = [blame_as_text(part.features) for part in parts]
    return rows.assign(date=day)


def _nothing_before(here: Deployment, detector: str, day: date) -> bool:
    held = incident_days(here, detector)
    return not held or held[0] >= day


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "incidents")
