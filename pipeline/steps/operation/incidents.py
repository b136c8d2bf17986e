"""Incidents joined across days, and the withdrawal of those that a bad version raised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

from pipeline import settings, tables
from pipeline.config import DetectorSpec
from pipeline.errors import DataError
from pipeline.incidents.joining import Incident, joined
from pipeline.steps.operation.day_scores import within
from pipeline.steps.operation.score_tables import parts_of
from pipeline.steps.operation.scoring import score
from pipeline.steps.operation.scoring_inputs import scoring_bundles_of
from pipeline.tables import Table

_FIRST_REACH = timedelta(days=8)


def incidents_between(spec: DetectorSpec, first: date, last: date, *, root: str) -> list[Incident]:
    """Incidents that touch the days `first` to `last`, by start; days after `last` are not read.

    One that began before `first` is followed back to its start, so that its id is always the same.
    """
    table, (flags, shifts) = Table(root, spec.name, "incidents"), within(spec)
    opens = pd.Timestamp(datetime.combine(first, time(), UTC))
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


def withdraw_and_rescore(
    detector: str, bad_version: int, *, run: str, days: Sequence[date] | None = None
) -> dict[str, Any]:
    """Score again, with the present champion, each day that has scores of `bad_version`.

    With `days`, only these of them: several tasks share the work.

    Its incidents stay in the table as withdrawn; one that the champion raises too is read as
    raised. A repetition, also after an interruption, does only what is left.

    Returns:
        as `score_days`; `days` is 0 when nothing was left.

    Raises:
        DataError: `bad_version` still is the champion, or a day cannot be scored.
        OutageError: a store or server did not answer.
    """
    bundles = scoring_bundles_of(detector)
    if bundles is not None and bundles.versions[0] == bad_version:
        msg = (
            f"Version {bad_version} is the champion of {detector}: its scores cannot be withdrawn "
            "while it is live. Move the alias first."
        )
        raise DataError(msg)
    left = days_of(detector, bad_version, among=days)
    if bundles is None or not left:
        return {"days": 0, "rows": 0, "flags": 0, "incidents": 0, "written": 0}
    return score(detector, left, run=run, withdrawn=bad_version)


def days_of(detector: str, version: int, *, among: Sequence[date] | None = None) -> list[date]:
    """Days, in order, on which `version` as champion has scores or raised incidents.

    Of all days in the tables, or of those `among`.
    """
    root = settings.load().storage
    span: dict[str, Any] = {"first_day": min(among), "last_day": max(among)} if among else {}
    scores = tables.read(
        Table(root, detector, "scores"), columns=["role", "version"], keep_date=True, **span
    )
    mine = scores[scores["role"].eq("champion") & scores["version"].eq(version)]
    parts = tables.read(
        Table(root, detector, "incidents"), columns=["status", "version"], keep_date=True, **span
    )
    raised = parts[parts["status"].eq("raised") & parts["version"].eq(version)]
    found = set(mine["date"]) | set(raised["date"])
    return sorted(found if among is None else found & set(among))
