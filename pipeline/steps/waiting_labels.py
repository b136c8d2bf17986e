"""The episodes that wait for a label, and the labels so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from pipeline.config import DetectorSpec
from pipeline.data.audit import Audit
from pipeline.data.label import Label
from pipeline.incidents import Incident
from pipeline.incidents.unanswered import answered
from pipeline.settings import Deployment
from pipeline.steps.answers import all_incidents
from pipeline.steps.candidate import detector_named
from pipeline.store.audits import audits_between
from pipeline.store.incidents import incident_days
from pipeline.store.labels import labels_as_of


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
    spec = detector_named(here, detector)
    labels = labels_as_of(here, detector, now)
    days = incident_days(here, detector)
    found = flagged_episodes(here, spec, days[0], days[-1]) if days else []
    sampled = (
        {a.incident: a for a in audits_between(here, detector, days[0], days[-1])} if days else {}
    )
    start, end = (
        np.array([getattr(each, name).value for each in found], dtype=np.int64)
        for name in ("start", "end")
    )
    done = answered([each.entity for each in found], start, end, labels)
    open_ones = [each for each, answered in zip(found, done, strict=True) if not answered]
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


def flagged_episodes(
    here: Deployment, spec: DetectorSpec, first: date, last: date
) -> list[Incident]:
    """Every flagged episode with rows on these days, including those too short for an incident."""
    found = all_incidents(here, spec, first, last)
    return [each for each in found if each.kind == "anomaly" and each.status == "raised"]
