"""Labels of spans of time by people, and audits: the episodes that people are asked to label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import structlog

from pipeline import settings, tables
from pipeline.config import DetectorSpec
from pipeline.data.audit import Audit
from pipeline.data.audits import add_audits, audits_between
from pipeline.data.label import NO_VERDICT, Label, verdicts
from pipeline.data.labels import add_labels, labels_as_of
from pipeline.data.timeline import Timeline, timeline_from
from pipeline.incidents import Incident
from pipeline.recalibration.audits import sample_audits
from pipeline.records import to_json
from pipeline.steps import metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.steps.people.answers import (
    Author,
    LabelRequest,
    all_incidents,
    label_from_request,
    telemetry_in,
)
from pipeline.tables import Table

log = structlog.get_logger()


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


def label(detector: str, answer: LabelRequest, by: Author) -> dict[str, Any]:
    """Record a verdict; return what it covers, what it overrules and from when it counts.

    Raises:
        DataError: the answer is not a valid label; nothing was recorded.
    """
    spec, here = detector_named(detector), settings.load()
    earlier = labels_as_of(here.storage, detector, by.at)
    said = [each for each in earlier if by.run and each.run_id == by.run]
    made = said[0] if said else label_from_request(spec, answer, by, here.storage)
    rows = telemetry_in(spec, made, here.storage)
    timeline = timeline_from(rows, spec.columns)
    before, after = (
        verdicts(timeline, [e for e in earlier if e != made]),
        verdicts(timeline, [made]),
    )
    recorded = {
        **to_json(made),
        "rows": len(rows),
        "overruled": int(((before != NO_VERDICT) & (before != after)).sum()),
        # Training and recalibration know what was said before their as-of day began.
        "counts_from": (made.created_at.astimezone(UTC).date() + timedelta(days=1)).isoformat(),
        "new": bool(add_labels(here.storage, detector, [made])),
    }
    log.info("label_recorded", detector=detector, **recorded)
    metrics_hooks.open_items(detector)
    return recorded


def waiting(detector: str, *, now: datetime) -> Waiting:
    """The labels of a detector, and the episodes that wait for one.

    An episode waits until there is a verdict on its first and on its last row.
    """
    spec, root = detector_named(detector), settings.load().storage
    labels = labels_as_of(root, detector, now)
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


def propose_audits(
    detector: str, first: date, last: date, *, run: str, now: datetime
) -> dict[str, Any]:
    """Sample episodes that start on `first` to `last`, and ask for their labels.

    Every flagged episode can be sampled, also one too short to be an incident. A rerun proposes the
    same ones and writes nothing.
    """
    spec, here = detector_named(detector), settings.load()
    found = flagged_episodes(spec, first, last, root=here.storage)
    starting = [each for each in found if first <= each.start.date() <= last]
    share = spec.recalibration.audit_share
    sampled = sample_audits(detector, starting, share, now=now)
    new = add_audits(here.storage, detector, sampled)
    recorded = {"episodes": len(starting), "drawn": len(sampled), "new": new, "share": share}
    log.info("audits_proposed", run=run, first=str(first), last=str(last), **recorded)
    return recorded


def flagged_episodes(spec: DetectorSpec, first: date, last: date, *, root: str) -> list[Incident]:
    """Every flagged episode with rows on these days, including those too short for an incident."""
    found = all_incidents(spec, first, last, root=root)
    return [each for each in found if each.kind == "anomaly" and each.status == "raised"]


def _answered(episode: Incident, labels: tuple[Label, ...]) -> bool:
    ends = np.array([episode.start.value, episode.end.value], dtype=np.int64)
    timeline = Timeline(ends, np.zeros(2, dtype=np.intp), (episode.entity,), cadence_ns=1)
    return bool((verdicts(timeline, labels) != NO_VERDICT).all())
