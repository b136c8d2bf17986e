"""Readings for Prometheus about ingested days and open items: none of them needs the registry.

So a task that ingests or records an answer does not wait seconds for MLflow to be imported. See
`metrics_hooks`, which has the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipeline.config import DetectorSpec
from pipeline.metrics import build, postgres
from pipeline.metrics.readings import OpenItemsReading, Reading
from pipeline.monitoring.broken_threshold import BrokenThreshold
from pipeline.settings import Deployment
from pipeline.steps import open_items
from pipeline.steps.candidate import detector_named
from pipeline.store.ingestions import Attempt


def ingested(
    here: Deployment, spec: DetectorSpec, attempts: Sequence[Attempt], *, now: datetime
) -> None:
    """Record ingested days, and the open items unless scoring follows, which records them."""
    name = spec.name
    readings = [Reading(name, "ingested", each.day, now, build.ingested(each)) for each in attempts]
    follows = any(each.standing == "validated" for each in attempts)
    keep(here, readings if follows else [*readings, *open_items_now(here, spec)])


def open_items_changed(here: Deployment, detector: str) -> None:
    """Record the open items, after a person has answered."""
    if here.database is None:
        return
    keep(here, open_items_now(here, detector_named(here, detector)))


def keep(here: Deployment, readings: Sequence[Reading]) -> None:
    """Record `readings`, where there is a store."""
    if here.database is not None:
        postgres.record(here.database, readings)


def open_items_now(here: Deployment, spec: DetectorSpec) -> list[Reading]:
    """The reading of open items; none without a store, as finding them reads many tables."""
    now = datetime.now(UTC)
    if here.database is None:
        return []
    items = open_items.open_items(here, spec, now=now)
    content = OpenItemsReading(
        incidents=len(items.incidents),
        labels=items.labels_waiting,
        muted=len(items.muted),
        unsettled=len(items.violations),
        last=spec.schedule.end,
        broken=_hours(items.broken),
    )
    return [Reading(spec.name, "standing", now.date(), now, content)]


def _hours(broken: BrokenThreshold | None) -> float:
    return 0.0 if broken is None else (broken.until - broken.since) / timedelta(hours=1)
