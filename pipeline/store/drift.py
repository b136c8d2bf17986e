"""The verdicts of days and weeks in the table `drift`, with repeated warnings escalated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import pyarrow as pa

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.drift import DriftVerdict, escalated
from pipeline.drift.result import from_rows, to_rows
from pipeline.settings import Deployment
from pipeline.tables import Table
from pipeline.tables.schemas import SCHEMAS
from pipeline.utc_day import ONE_DAY

Period = Literal["day", "week"]
PERIODS: tuple[Period, ...] = ("day", "week")

_LOOK_BACK = 5  # days with rows that are searched for the newest verdict; a candidate may have some


@dataclass(frozen=True)
class DriftState:
    """The newest verdicts of a detector, two warnings in a row counted.

    Attributes:
        day: the day they were made for.
        version: the version whose reference the data were compared with.
        of_day: about the day; None where it had no rows.
        of_week: about the rolling week up to it; None with rows on less than half of its days.
    """

    day: date
    version: int
    of_day: DriftVerdict | None
    of_week: DriftVerdict | None

    @property
    def ruling(self) -> DriftVerdict:
        """The verdict to act on: the week's, but the day's for a data fault or without a week."""
        if self.of_day is not None and (self.of_week is None or self.of_day.kind == "data fault"):
            return self.of_day
        if self.of_week is None:
            msg = f"The drift state of {self.day} has neither a verdict of a day nor of a week."
            raise ValueError(msg)
        return self.of_week


def drift_version(here: Deployment, detector: str) -> int | None:
    """The newest version of the table; None while it does not exist."""
    return tables.current_version(_table(here, detector))


def drift_state(here: Deployment, spec: DetectorSpec, day: date) -> DriftState | None:
    """The drift state of the newest day up to `day`; None if nothing was judged yet.

    A warning after a warning (of the day before; of the week before, which shares no day with it)
    is an alarm, if both are about the same version.
    """
    held = tables.days_in(_table(here, spec.name))
    present = [each for each in held if each <= day][-_LOOK_BACK:]
    if not present:
        return None
    found = verdicts_between(here, spec, present[0] - timedelta(days=7), day)
    if not found:
        return None
    newest = max(when for when, _ in found)
    judged = {period: found[newest, period] for period in PERIODS if (newest, period) in found}
    version = next(iter(judged.values()))[0]
    return DriftState(
        day=newest,
        version=version,
        of_day=_after(found, newest, "day", ONE_DAY, spec),
        of_week=_after(found, newest, "week", timedelta(days=spec.drift.rolling_days), spec),
    )


Verdicts = dict[tuple[date, Period], tuple[int, DriftVerdict]]


def verdicts_between(here: Deployment, spec: DetectorSpec, first: date, last: date) -> Verdicts:
    """The stored verdicts, not escalated: by day and period, the version and its verdict."""
    table = _table(here, spec.name)
    rows = _rows(tables.read(table, first_day=first, last_day=last, keep_date=True))
    grouped: dict[tuple[date, Period], list[dict[str, Any]]] = {}
    for row in rows:
        if row["source"] in PERIODS:
            grouped.setdefault((row["date"], row["source"]), []).append(row)
    order = spec.columns.feature_columns
    return {key: (int(same[0]["version"]), from_rows(same, order)) for key, same in grouped.items()}


def replace_verdicts(
    here: Deployment,
    spec: DetectorSpec,
    fresh: Mapping[tuple[date, Period], DriftVerdict | None],
    *,
    version: int,
    based_on: int | None,
    run: str,
) -> int:
    """Make `fresh` the verdicts of its days and periods (None: no verdict); return days changed.

    The rows of candidates on the same days stay, and days that already have these verdicts are not
    written.

    Raises:
        TableConflict: another run changed one of the days after version `based_on`.
    """
    table = _table(here, spec.name)
    days = sorted({day for day, _ in fresh})
    held = tables.read(
        table, first_day=days[0], last_day=days[-1], version=based_on, keep_date=True
    )
    before = _by_day(row for row in _rows(held) if row["date"] in set(days))
    after = _by_day(
        row for rows in before.values() for row in rows if (row["date"], row["source"]) not in fresh
    )
    for (day, period), verdict in fresh.items():
        if verdict is not None:
            rows = to_rows(verdict, day=day, source=period, version=version)
            after.setdefault(day, []).extend(_laid_out(rows))
    changed = [day for day in days if _content(before, day) != _content(after, day)]
    if changed:
        rows = [row for day in changed for row in after.get(day, [])]
        content = pa.Table.from_pylist(rows, schema=SCHEMAS["drift"])
        tables.replace_days(table, changed, content, metadata={"run": run}, based_on=based_on)
    return len(changed)


def record_candidate_drift(
    here: Deployment, detector: str, candidate: str, day: date, verdict: DriftVerdict
) -> None:
    """Append one row for each compared series, unless the table has this candidate's already."""
    table = _table(here, detector)
    if candidate in set(tables.read(table, columns=["source"])["source"]):
        return
    tables.append(table, to_rows(verdict, day=day, source=candidate, version=None))


def _after(
    found: Verdicts, day: date, period: Period, back: timedelta, spec: DetectorSpec
) -> DriftVerdict | None:
    if (day, period) not in found:
        return None
    version, verdict = found[day, period]
    before = found.get((day - back, period))
    previous = before[1] if before is not None and before[0] == version else None
    return escalated(verdict, previous, spec.columns)


def _rows(frame: Any) -> list[dict[str, Any]]:
    """Rows of the table as plain values, with None for NaN."""
    plain = frame.astype(object).where(frame.notna(), None)
    return _laid_out(plain.to_dict("records"))


def _laid_out(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in SCHEMAS["drift"].names} for row in rows]


def _by_day(rows: Iterable[dict[str, Any]]) -> dict[date, list[dict[str, Any]]]:
    found: dict[date, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["date"], []).append(row)
    return found


def _content(rows: Mapping[date, list[dict[str, Any]]], day: date) -> list[str]:
    return sorted(repr(list(row.values())) for row in rows.get(day, []))


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "drift")
