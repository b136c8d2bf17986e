"""Labels of spans of time by people, and audits: the episodes that people are asked to label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypedDict

import structlog

from pipeline.data.audit import sample_audits
from pipeline.data.label import NO_VERDICT, Label, verdicts
from pipeline.data.label_request import Author, LabelRequest
from pipeline.data.timeline import timeline_from
from pipeline.records import Payload, to_json
from pipeline.settings import Deployment
from pipeline.steps import day_metrics
from pipeline.steps.answers import label_from_request, telemetry_in
from pipeline.steps.candidate import detector_named
from pipeline.steps.waiting_labels import flagged_episodes
from pipeline.store.audits import add_audits
from pipeline.store.labels import add_labels, labels_as_of
from pipeline.utc_day import ONE_DAY

log = structlog.get_logger()


class AuditCounts(TypedDict):
    """Episodes that were considered, sampled and newly put up for labelling; the share of them."""

    episodes: int
    sampled: int
    new: int
    share: float


@dataclass(frozen=True, kw_only=True)
class RecordedLabel(Label):
    """A label in the table.

    Attributes:
        rows: rows of telemetry that it covers.
        overruled: those of them of which earlier labels say otherwise.
        counts_from: the first as-of day, ISO, whose training or recalibration knows of it.
        new: false where the same run had recorded it before.
    """

    rows: int
    overruled: int
    counts_from: str
    new: bool


def label(
    here: Deployment, detector: str, answer: LabelRequest, by: Author
) -> Payload[RecordedLabel]:
    """Record a verdict; return what it covers, what it overrules and from when it counts.

    Raises:
        DataError: the answer is not a valid label; nothing was recorded.
    """
    spec = detector_named(here, detector)
    earlier = labels_as_of(here, detector, by.at)
    said = [each for each in earlier if by.run and each.run_id == by.run]
    made = said[0] if said else label_from_request(here, spec, answer, by)
    rows = telemetry_in(here, spec, made)
    timeline = timeline_from(rows, spec.columns)
    before, after = (
        verdicts(timeline, [e for e in earlier if e != made]),
        verdicts(timeline, [made]),
    )
    recorded = to_json(
        RecordedLabel(
            **vars(made),
            rows=len(rows),
            overruled=int(((before != NO_VERDICT) & (before != after)).sum()),
            # Training and recalibration know what was said before their as-of day began.
            counts_from=(made.created_at.astimezone(UTC).date() + ONE_DAY).isoformat(),
            new=bool(add_labels(here, detector, [made])),
        )
    )
    log.info("label_recorded", detector=detector, **recorded)
    day_metrics.open_items_changed(here, detector)
    return recorded


def propose_audits(
    here: Deployment, detector: str, first: date, last: date, *, run: str, now: datetime
) -> AuditCounts:
    """Sample episodes that start on `first` to `last`, and ask for their labels.

    Every flagged episode can be sampled, also one too short to be an incident. A rerun proposes the
    same ones and writes nothing.
    """
    spec = detector_named(here, detector)
    found = flagged_episodes(here, spec, first, last)
    starting = [each for each in found if first <= each.start.date() <= last]
    share = spec.recalibration.audit_share
    sampled = sample_audits(detector, starting, share, now=now)
    new = add_audits(here, detector, sampled)
    recorded: AuditCounts = {
        "episodes": len(starting),
        "sampled": len(sampled),
        "new": new,
        "share": share,
    }
    log.info("audits_proposed", run=run, first=str(first), last=str(last), **recorded)
    return recorded
