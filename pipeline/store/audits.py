"""The table `audits`: it only grows; an episode that is sampled again is not written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, date, timedelta
from typing import Any

from pipeline.data.audit import Audit
from pipeline.settings import Deployment
from pipeline.tables import Table, append, in_order, read

_LONGEST = timedelta(days=31)  # an episode that began earlier than this before a day has ended


def add_audits(here: Deployment, detector: str, audits: Sequence[Audit]) -> int:
    """Append those of `audits` that are not there with the same probability; returns how many."""
    if not audits:
        return 0
    days = [audit.start.astimezone(UTC).date() for audit in audits]
    known = {
        (audit.incident, audit.probability)
        for audit in audits_between(here, detector, min(days), max(days))
    }
    fresh = [audit for audit in audits if (audit.incident, audit.probability) not in known]
    if fresh:
        append(Table(here.storage, detector, "audits"), [_row(audit) for audit in fresh])
    return len(fresh)


def audits_between(here: Deployment, detector: str, first: date, last: date) -> tuple[Audit, ...]:
    """The sampled episodes with rows on these UTC days, both included, by start and entity.

    Of several audits of one episode the later one, in the order of the table, comes last.

    Not read as of a day, unlike labels: the sample follows from the episode alone, so a reader
    learns nothing from it too early.
    """
    table = Table(here.storage, detector, "audits")
    rows = read(table, first_day=first - _LONGEST, last_day=last)
    if rows.empty:
        return ()
    rows = in_order(rows, "proposed_at")
    found = [_audit(row) for row in rows.to_dict("records")]
    return tuple(
        sorted(
            (audit for audit in found if audit.end.date() >= first),
            key=lambda audit: (audit.start, audit.entity),
        )
    )


def audits_begun(here: Deployment, detector: str, first: date, last: date) -> tuple[Audit, ...]:
    """The sampled episodes that began on these UTC days, both included."""
    rows = read(Table(here.storage, detector, "audits"), first_day=first, last_day=last)
    return tuple(_audit(row) for row in rows.to_dict("records"))


def _row(audit: Audit) -> dict[str, Any]:
    return {**asdict(audit), "date": audit.start.astimezone(UTC).date()}


def _audit(row: dict[Any, Any]) -> Audit:
    content = {field.name: row[field.name] for field in fields(Audit)}
    for name in ("start", "end", "proposed_at"):
        content[name] = content[name].to_pydatetime().astimezone(UTC)
    return Audit(**content)
