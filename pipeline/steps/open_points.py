"""Open items of a detector: days without a final state, incidents, labels, muted channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.channel_list import of_cell
from pipeline.incidents import Incident
from pipeline.registry import promotion
from pipeline.settings import Deployment
from pipeline.steps.incidents import incidents_between
from pipeline.steps.status import PartitionState, partition_states
from pipeline.steps.waiting_labels import waiting
from pipeline.tables import Table

_SPAN = timedelta(days=30)


@dataclass(frozen=True)
class OpenPoints:
    """The open items of a detector.

    Attributes:
        partitions: every expected day, and days on record that the schedule does not expect.
        scored: days with scores, oldest first.
        incidents: those of the newest 30 scored days that nobody has judged, by start.
        labels_waiting: episodes without a label, of all times.
        audits_waiting: those of them that were sampled for an audit.
        muted: channels left out of the newest scored day's scores, with their machine.
    """

    partitions: tuple[PartitionState, ...]
    scored: tuple[date, ...]
    incidents: tuple[Incident, ...]
    labels_waiting: int
    audits_waiting: int
    muted: tuple[str, ...]

    @property
    def violations(self) -> tuple[PartitionState, ...]:
        """Days without a final state."""
        return tuple(each for each in self.partitions if not each.is_final)


def open_points(here: Deployment, spec: DetectorSpec, *, now: datetime) -> OpenPoints:
    """The open items at `now`.

    Raises:
        OutageError: the store does not answer.
    """
    scored = tables.days_in(Table(here.storage, spec.name, "scores"))
    unanswered = waiting(here, spec.name, now=now)
    ids = {each.id for each in unanswered.incidents}
    ids |= {each.incident for each in unanswered.audits}
    return OpenPoints(
        partitions=partition_states(spec, root=here.storage, today=now.astimezone(UTC).date()),
        scored=tuple(scored),
        incidents=tuple(_open(spec, scored, ids, here.storage)),
        labels_waiting=len(ids),
        audits_waiting=len(unanswered.audits),
        muted=tuple(_described(*each) for each in _muted(here.storage, spec.name, scored)),
    )


def _open(
    spec: DetectorSpec, scored: list[date], unanswered: set[str], root: str
) -> list[Incident]:
    """Incidents of the newest 30 days without a label, and shifts that have not ended."""
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


def muted_channels(root: str, detector: str) -> tuple[tuple[str, str], ...]:
    """The channels that the newest scored day left out, each with its machine or an empty name."""
    return _muted(root, detector, tables.days_in(Table(root, detector, "scores")))


def _muted(root: str, detector: str, scored: list[date]) -> tuple[tuple[str, str], ...]:
    if not scored:
        return ()
    rows = tables.read(
        Table(root, detector, "scores"),
        columns=["role", "entity", "muted"],
        first_day=scored[-1],
        last_day=scored[-1],
    )
    muted_rows = rows[rows["role"].eq(promotion.CHAMPION) & rows["muted"].fillna("").ne("")]
    pairs = muted_rows[["entity", "muted"]].drop_duplicates().itertuples(index=False)
    return tuple(sorted({(name, entity) for entity, muted in pairs for name in of_cell(muted)}))


def _described(channel: str, entity: str) -> str:
    return f"{channel} on {entity}" if entity else channel
