"""The episodes that wait for a label, and the labels so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.audit import Audit
from pipeline.data.label import NO_VERDICT, Label, verdicts
from pipeline.data.timeline import Timeline
from pipeline.incidents import Incident
from pipeline.settings import Deployment
from pipeline.steps.answers import all_incidents
from pipeline.steps.candidate import detector_named
from pipeline.store.audits import audits_between
from pipeline.store.labels import labels_as_of
from pipeline.tables import Table


@dataclass(frozen=True)
class Waiting:
    """The labels so far, and the episodes that wait for a label.

    Attributes:
        labels: all of them, oldest first.
        audits: sampled episodes without a verdict, oldest first; these come first.
        incidents: anomalies without a verdict, oldest first, the sampled ones left out.
    """

    labels: tuple[Label, ...]
    audits: tuple[Audit, ...]
    incidents: tuple[Incident, ...]


def waiting(here: Deployment, detector: str, *, now: datetime) -> Waiting:
    """The labels of a detector, and the episodes that wait for one.

    An episode waits until there is a verdict on its first and on its last row.
    """
    spec, root = detector_named(here, detector), here.storage
    labels = labels_as_of(here, detector, now)
    days = tables.days_in(Table(root, detector, "incidents"))
    found = flagged_episodes(spec, days[0], days[-1], root=root) if days else []
    sampled = (
        {a.incident: a for a in audits_between(root, detector, days[0], days[-1])} if days else {}
    )
    open_ones = [each for each in found if not _answered(each, labels)]
    unanswered = {each.id for each in open_ones}
    return Waiting(
        labels=labels,
        audits=tuple(each for each in sampled.values() if each.incident in unanswered),
        incidents=tuple(
            each
            for each in open_ones
            if each.id not in sampled and each.rows >= spec.incidents.minimum_rows
        ),
    )


def flagged_episodes(spec: DetectorSpec, first: date, last: date, *, root: str) -> list[Incident]:
    """Every flagged episode with rows on these days, including those too short for an incident."""
    found = all_incidents(spec, first, last, root=root)
    return [each for each in found if each.kind == "anomaly" and each.status == "raised"]


def _answered(episode: Incident, labels: tuple[Label, ...]) -> bool:
    ends = np.array([episode.start.value, episode.end.value], dtype=np.int64)
    timeline = Timeline(ends, np.zeros(2, dtype=np.intp), (episode.entity,), cadence_ns=1)
    return bool((verdicts(timeline, labels) != NO_VERDICT).all())
