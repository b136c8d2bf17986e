"""Open items of a detector: days without a final state, incidents, labels, muted channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.incidents import Incident
from pipeline.monitoring.day_status import PartitionState
from pipeline.settings import Deployment
from pipeline.steps.status import partition_states
from pipeline.steps.waiting_labels import waiting
from pipeline.store.incidents import incidents_between
from pipeline.store.scores import muted_on, scored_days
from pipeline.utc_day import ONE_DAY

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
    scored = scored_days(here, spec.name)
    unanswered = waiting(here, spec.name, now=now)
    ids = {each.id for each in unanswered.incidents}
    ids |= {each.incident for each in unanswered.audits}
    return OpenPoints(
        partitions=partition_states(here, spec, today=now.astimezone(UTC).date()),
        scored=tuple(scored),
        incidents=tuple(_open(here, spec, scored, ids)),
        labels_waiting=len(ids),
        audits_waiting=len(unanswered.audits),
        muted=tuple(_described(*each) for each in _muted(here, spec.name, scored)),
    )


def _open(
    here: Deployment, spec: DetectorSpec, scored: list[date], unanswered: set[str]
) -> list[Incident]:
    """Incidents of the newest 30 days without a label, and shifts that have not ended."""
    if not scored:
        return []
    last = pd.Timestamp(scored[-1], tz="UTC")
    first = scored[-1] - _SPAN + ONE_DAY
    found = incidents_between(here, spec, first, scored[-1])
    return [
        each
        for each in found
        if each.status == "raised"
        and (each.id in unanswered if each.kind == "anomaly" else each.end >= last)
    ]


def muted_channels(here: Deployment, detector: str) -> tuple[tuple[str, str], ...]:
    """The channels that the newest scored day left out, each with its machine or an empty name."""
    return _muted(here, detector, scored_days(here, detector))


def _muted(here: Deployment, detector: str, scored: list[date]) -> tuple[tuple[str, str], ...]:
    return muted_on(here, detector, scored[-1]) if scored else ()


def _described(channel: str, entity: str) -> str:
    return f"{channel} on {entity}" if entity else channel
