"""The table `ledger`: one row for each entry of the chain. `pipeline.steps.ledger_state` proves it.

An append is a compare-and-set: it is the commit that follows the version of the table that was
read, or it fails.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pipeline import ledger, tables
from pipeline.errors import UnprovenLedger
from pipeline.ledger import Entry
from pipeline.settings import Deployment
from pipeline.tables import Table, appending


def read_entries(here: Deployment, detector: str) -> tuple[tuple[Entry, ...], int | None]:
    """All entries, oldest first, and the version of the table; None: it does not exist yet.

    Raises:
        UnprovenLedger: a row is not an entry.
    """
    table = _table(here, detector)
    version = tables.current_version(table)
    if version is None:
        return (), None
    rows = tables.read(table, version=version)
    ordered = rows.sort_values("sequence", kind="stable").to_dict("records")
    return tuple(_entry(detector, place, row) for place, row in enumerate(ordered)), version


def append_entry(
    here: Deployment, detector: str, day: date, entry: Entry, *, version: int | None
) -> int:
    """Append `entry`, made on `day`, after `version` of the table; returns the new version.

    Raises:
        TableConflict: another commit came first; nothing was written.
    """
    row = {"date": day, **ledger.to_row(entry)}
    return appending.append_behind(_table(here, detector), [row], version)


def _entry(detector: str, place: int, row: dict[Any, Any]) -> Entry:
    try:
        return ledger.from_row({str(key): value for key, value in row.items()})
    except (ValueError, TypeError, KeyError) as error:
        msg = (
            f"The ledger of {detector} does not hold: row {place + 1} is not a ledger entry "
            f"({str(error)[:100]}): somebody wrote into the table. See docs/runbook.md, 'The "
            "ledger does not hold'."
        )
        raise UnprovenLedger(msg) from error


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "ledger")
