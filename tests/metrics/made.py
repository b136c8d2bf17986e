"""Readings made for tests."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pipeline.metrics.readings import (
    Content,
    DriftReading,
    FitReading,
    IngestedReading,
    LedgerReading,
    LiveReading,
    OpenItemsReading,
    Reading,
    ScoredReading,
    SeriesDrift,
    Topic,
)

DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)

SCORED = ScoredReading(
    rows=100, flags=2, quantiles={"0.5": 1.0, "0.95": 3.0}, mean=1.2, stddev=0.4,
    threshold=4.0, low=3.5, high=None, alpha=0.01,
)  # fmt: skip
CONTENTS: dict[Topic, Content] = {
    "ingested": IngestedReading(90, {"out_of_range": 6, "duplicate": 4}, 0.98),
    "scored": SCORED,
    "drifted": DriftReading(
        (SeriesDrift("score", 0.2, 0.5), SeriesDrift("flow", 0.4, 0.01)), 0.7, 0.2
    ),
    "trained": FitReading(12.5),
    "live": LiveReading(3, NOON, NOON, None),
    "trust": LedgerReading(faults=0),
    "standing": OpenItemsReading(
        incidents=2, labels=5, muted=1, unsettled=0, last=None, broken=6.0
    ),
}


def reading(
    topic: Topic = "scored",
    content: Content | None = SCORED,
    *,
    day: date = DAY,
    at: datetime = NOON,
    detector: str = "pumps",
) -> Reading:
    return Reading(detector, topic, day, at, content)


def every_topic(detector: str = "pumps") -> list[Reading]:
    return [reading(topic, content, detector=detector) for topic, content in CONTENTS.items()]
