"""What is open about a detector: days without verdict, incidents, labels, muted channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.channel_list import of_cell
from pipeline.incidents import Incident
from pipeline.registry import promotion
from pipeline.steps.operation.incidents import incidents_between
from pipeline.steps.oversight.status import PartitionState, partition_states
from pipeline.steps.people.labelling import waiting
from pipeline.tables import Table

_SPAN = timedelta(days=30)


@dataclass(frozen=True)
class OpenPoints:
    """What waits for somebody or something.

    Attributes:
        partitions: every expected day.
        scored: days with scores, oldest first.
        incidents: those of the newest 30 scored days that nobody has judged, by start.
        labels_waiting: episodes without a label, of all times.
        audits_waiting: those that were drawn at random and wait.
        muted: channels left out of the newest scored day's scores, with their machine.
    """

    partitions: tuple[PartitionState, ...]
    scored: tuple[date, ...]
    incidents: tuple[Incident, ...]
    labels_waiting: int
    audits_waiting: int
    muted: tuple[str, ...]

    @property
    def unsettled(self) -> tuple[PartitionState, ...]:
        """Days that ended in none of the four ways."""
        return tuple(each for each in self.partitions if not each.settled)


def open_points(spec: DetectorSpec, *, root: str, now: datetime) -> OpenPoints:
    """What is open at `now`.

    Raises:
        OutageError: the store does not answer.
    """
    scored = tables.days_in(Table(root, spec.name, "scores"))
    unanswered = waiting(spec.name, now=now)
    ids = {each.id for each in unanswered.incidents}
    ids |= {each.incident for each in unanswered.audits}
    return OpenPoints(
        partitions=partition_states(spec, root=root, today=now.astimezone(UTC).date()),
        scored=tuple(scored),
        incidents=tuple(_open(spec, scored, ids, root)),
        labels_waiting=len(ids),
        audits_waiting=len(unanswered.audits),
        muted=_muted(root, spec.name, scored),
    )


def _open(
    spec: DetectorSpec, scored: list[date], unanswered: set[str], root: str
) -> list[Incident]:
    """Incidents of the newest 30 days that wait: for a label, or, a shift, for its end."""
    if not scored:
        return []
    last = pd.Timestamp(scored[-1], tz="UTC")
    first = scored[-1] - _SPAN + timedelta(days=1)
    found = incidents_between(spec, first, scored[-1], root=root)
    return [
        each
        for each in found
        if each.status == "raised"
        and (each.id in unanswered if each.kind == "anomaly" else each.end >= last)
    ]


def _muted(root: str, detector: str, scored: list[date]) -> tuple[str, ...]:
    if not scored:
        return ()
    rows = tables.read(
        Table(root, detector, "scores"),
        columns=["role", "entity", "muted"],
        first_day=scored[-1],
        last_day=scored[-1],
    )
    told = rows[rows["role"].eq(promotion.CHAMPION) & rows["muted"].fillna("").ne("")]
    pairs = told[["entity", "muted"]].drop_duplicates().itertuples(index=False)
    named = [(name, entity) for entity, muted in pairs for name in of_cell(muted)]
    return tuple(sorted({f"{name} on {entity}" if entity else name for name, entity in named}))
