"""The table `requests`: one row for each request for a training or a recalibration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.tables import Table


@dataclass(frozen=True)
class RecordedRequest:
    """A request that was made.

    Attributes:
        date: the day whose verdict calls for it.
        action: `retrain` or `recalibrate`.
        reason: why.
        run_id: which run made it.
        asked_at: when, UTC.
    """

    date: date
    action: str
    reason: str
    run_id: str
    asked_at: datetime


def record_request(here: Deployment, detector: str, request: RecordedRequest) -> None:
    """Append a request."""
    tables.append(_table(here, detector), [asdict(request)])


def requests_for(
    here: Deployment, detector: str, action: str, first: date, last: date
) -> list[dict[Any, Any]]:
    """`date`, `action` and `run_id` of the requests on `first` to `last`, both included."""
    rows = tables.read(
        _table(here, detector),
        columns=["action", "run_id"],
        first_day=first,
        last_day=last,
        keep_date=True,
    )
    return rows[rows["action"] == action].to_dict("records")


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "requests")
