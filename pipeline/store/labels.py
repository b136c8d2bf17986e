"""The table `labels`: people's verdicts on spans of time.

The table only grows. A verdict is changed by a later one, never erased: the labels known on a day
can be read again with that day as `as_of`, and a past run repeats itself to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime

from pipeline.data.label import Label, by_age, require_zone, verdicts
from pipeline.settings import Deployment
from pipeline.store import answered
from pipeline.tables import Table

__all__ = ["Label", "add_labels", "labels_as_of", "verdicts"]


def add_labels(here: Deployment, detector: str, labels: Sequence[Label]) -> int:
    """Append `labels`; returns how many are new. One that is on record is not written twice."""
    if not labels:
        return 0
    newest = max(label.created_at for label in labels)
    known = set(labels_as_of(here, detector, newest))
    fresh = [label for label in dict.fromkeys(labels) if label not in known]
    if fresh:
        answered.add(
            here, Table(here.storage, detector, "labels"), [asdict(label) for label in fresh]
        )
    return len(fresh)


def labels_as_of(
    here: Deployment,
    detector: str,
    as_of: datetime,
    *,
    first: date | None = None,
    last: date | None = None,
) -> tuple[Label, ...]:
    """The labels made by `as_of`, oldest first; superseded ones included.

    With `first` and `last` only those whose span touches these UTC days, both included.

    Raises:
        UnprovenAnswer: one that no trusted key has signed.
    """
    require_zone("as_of", as_of)
    # A span ends before its label is made, so labels made before `first` do not reach it.
    rows = answered.given_by(
        here,
        Table(here.storage, detector, "labels"),
        as_of.astimezone(UTC).date(),
        first_day=first,
    )
    labels = [Label(**row) for row in rows]
    return tuple(
        sorted(
            (
                label
                for label in labels
                if label.created_at <= as_of
                and (last is None or label.start.date() <= last)
                and (first is None or label.end.date() >= first)
            ),
            key=by_age,
        )
    )


def labels_made(here: Deployment, detector: str, first: date, last: date) -> tuple[Label, ...]:
    """The labels made on these UTC days, both included, whichever rows they are about.

    Raises:
        UnprovenAnswer: one that no trusted key has signed.
    """
    table = Table(here.storage, detector, "labels")
    rows = answered.given_by(here, table, last, first_day=first)
    return tuple(sorted((Label(**row) for row in rows), key=by_age))
