"""The table `notices`: one row for each incident that somebody was told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.tables import Table


@dataclass(frozen=True)
class SentNotice:
    """A notice that was sent.

    Attributes:
        date: the day on which the incident was seen.
        incident: its id; of another message what `Notice.incident` says.
        kind: its kind.
        entity: the machine; empty where there is only one.
        version: the live version that raised it.
        channel: how the notice was sent.
        text: what it said.
        run_id: which run sent it.
        sent_at: when, UTC.
    """

    date: date
    incident: str
    kind: str
    entity: str
    version: int
    channel: str
    text: str
    run_id: str
    sent_at: datetime


@dataclass(frozen=True)
class FiledNotice:
    """The day that a notice is filed on, its kind, and what it is about."""

    date: date
    kind: str
    incident: str


def record_notice(here: Deployment, detector: str, notice: SentNotice) -> None:
    """Append a notice, after it was sent."""
    tables.append(_table(here, detector), [asdict(notice)])


def noticed_incidents(
    here: Deployment, detector: str, *, since: date | None = None
) -> dict[str, date]:
    """The incidents with a notice filed on `since` or later (None: ever), each with the newest day.

    A notice is filed on a day on which its incident had rows, never before its start.
    """
    rows = tables.read(
        _table(here, detector), columns=["incident"], first_day=since, keep_date=True
    )
    newest: dict[str, date] = {}
    for name, day in zip(rows["incident"], rows["date"], strict=True):
        newest[name] = max(day, newest.get(name, day))
    return newest


def last_notice(here: Deployment, detector: str, kinds: Sequence[str]) -> FiledNotice | None:
    """The newest notice of one of `kinds`, by the day that it is filed on; None: there is none."""
    names = ["kind", "incident", "sent_at"]
    rows = tables.read(_table(here, detector), columns=names, keep_date=True)
    rows = rows[rows["kind"].isin(kinds)].sort_values(["date", "sent_at"], kind="stable")
    if rows.empty:
        return None
    newest = rows.iloc[-1]
    return FiledNotice(newest["date"], newest["kind"], newest["incident"])


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "notices")
