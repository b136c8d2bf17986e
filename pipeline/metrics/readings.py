"""Readings: the measurements of one detector about one topic on one day, as plain data.

A scrape shows the newest day of each topic. A reading is complete for its day, so that a day may be
recorded again at any time, in any order, and by several tasks at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from pydantic import TypeAdapter

Topic = Literal["ingested", "scored", "drifted", "trained", "live", "trust", "standing"]

MOST_FEATURES = 20
"""Features of a drift reading, besides the score: the furthest moved. Bounds the series."""


@dataclass(frozen=True)
class IngestedReading:
    """The result of the latest attempt to ingest a day.

    Attributes:
        accepted: rows let through.
        rejected: rows in quarantine by rule, of whichever feature.
        completeness: share of expected rows that came with a measurement; None: none expected.
    """

    accepted: int
    rejected: dict[str, int]
    completeness: float | None


@dataclass(frozen=True)
class ScoredReading:
    """A day's scores by the champion, and the threshold in force.

    Attributes:
        rows: rows with a score.
        flags: rows above the threshold.
        quantiles: of the scores, by level ("0.95"); empty without a score.
        mean: of the scores; None without one.
        stddev: of the scores, population; None without one.
        threshold: the threshold.
        low: lower end of its 95 % interval; None: unbounded.
        high: upper end of it; None: unbounded.
        alpha: share of normal rows that may lie above it.
    """

    rows: int
    flags: int
    quantiles: dict[str, float]
    mean: float | None
    stddev: float | None
    threshold: float
    low: float | None
    high: float | None
    alpha: float


@dataclass(frozen=True)
class SeriesDrift:
    """The drift test of one feature: KS distance D and q, the corrected chance of it."""

    feature: str
    distance: float
    q: float


@dataclass(frozen=True)
class DriftReading:
    """The distance of a day from the reference.

    Attributes:
        moved: the score's test, then those of at most 20 features, the largest distance first; of
            the rolling week up to the day, of the day alone where the week has no verdict.
        latent: distance of the day's reconstructions (`pipeline.drift.latent`); None: no rows.
        growth: KS distance of the score since the last accepted state, 0 where it has not risen;
            None: an earlier release made the reading.
    """

    moved: tuple[SeriesDrift, ...]
    latent: float | None
    growth: float | None = None


@dataclass(frozen=True)
class FitReading:
    """The wall time of the newest fit, in seconds."""

    seconds: float


@dataclass(frozen=True)
class LiveReading:
    """The live version.

    Attributes:
        version: number of the champion.
        promoted_at: when it became live.
        drawn_at: when its threshold was registered; None: no threshold of it is on record.
        trained_at: when its weights were; None likewise.
    """

    version: int
    promoted_at: datetime
    drawn_at: datetime | None
    trained_at: datetime | None


@dataclass(frozen=True)
class LedgerReading:
    """The number of deviations from the ledger."""

    faults: int


@dataclass(frozen=True)
class OpenItemsReading:
    """The open items, as `status` shows them.

    Attributes:
        incidents: of the newest 30 scored days, that nobody has judged.
        labels: episodes that wait for a label.
        muted: channels of machines that the newest day's scores left out.
        unsettled: expected days that ended in no verdict.
        last: last day that will ever be expected; None: they go on.
        broken: hours that the threshold has not held for, up to the newest scored day; 0: it
            holds; None: an earlier release made the reading.
    """

    incidents: int
    labels: int
    muted: int
    unsettled: int
    last: date | None
    broken: float | None = None


Content = (
    IngestedReading
    | ScoredReading
    | DriftReading
    | FitReading
    | LiveReading
    | LedgerReading
    | OpenItemsReading
)

_KINDS: Mapping[Topic, TypeAdapter[Any]] = {
    "ingested": TypeAdapter(IngestedReading),
    "scored": TypeAdapter(ScoredReading),
    "drifted": TypeAdapter(DriftReading),
    "trained": TypeAdapter(FitReading),
    "live": TypeAdapter(LiveReading),
    "trust": TypeAdapter(LedgerReading),
    "standing": TypeAdapter(OpenItemsReading),
}


@dataclass(frozen=True)
class Reading:
    """One topic of one detector on one UTC day.

    Attributes:
        detector: its name.
        topic: the kind of `content`.
        day: the day that it is about.
        recorded_at: when its source was read; of two readings for the same day the later one stays.
        content: the measurements; None: the day no longer has any.
    """

    detector: str
    topic: Topic
    day: date
    recorded_at: datetime
    content: Content | None


def as_json(reading: Reading) -> str:
    """The content as JSON text; "null" where there is none."""
    return _KINDS[reading.topic].dump_json(reading.content).decode() if reading.content else "null"


def content_of(topic: Topic, plain: Mapping[str, Any]) -> Content:
    """Inverse of `as_json`.

    Raises:
        pydantic.ValidationError: another release wrote it, with other fields.
    """
    content: Content = _KINDS[topic].validate_python(dict(plain))
    return content
