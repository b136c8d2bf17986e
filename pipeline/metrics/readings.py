"""Readings: what one detector measured of one topic on one day, as plain data.

The newest day of a topic is what a scrape shows. So that a day may be recorded again at any time,
in any order, and by several tasks at once, a reading holds all there is to say of its day.
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
    """A day as the latest attempt to ingest it left it.

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
    """A day's scores by the champion, and the line that they were held against.

    Attributes:
        rows: rows with a score.
        flags: rows above the line.
        quantiles: of the scores, by level ("0.95"); empty without a score.
        mean: of the scores; None without one.
        stddev: of the scores, population; None without one.
        threshold: the line.
        low: lower end of its 95 % interval; None: unbounded.
        high: upper end of it; None: unbounded.
        alpha: share of normal rows that may cross it.
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
    """How far a day lies from the reference.

    Attributes:
        moved: the score's test, then those of at most 20 features, the largest distance first; of
            the rolling week up to the day, of the day alone where the week has no verdict.
        latent: distance of the day's reconstructions (`pipeline.drift.latent`); None: no rows.
    """

    moved: tuple[SeriesDrift, ...]
    latent: float | None


@dataclass(frozen=True)
class FitReading:
    """How long the newest fit took, wall time in seconds."""

    seconds: float


@dataclass(frozen=True)
class LiveReading:
    """What is live.

    Attributes:
        version: number of the champion.
        promoted_at: when it became live.
        drawn_at: when its line was registered; None: no line of it is on record.
        trained_at: when its weights were; None likewise.
    """

    version: int
    promoted_at: datetime
    drawn_at: datetime | None
    trained_at: datetime | None


@dataclass(frozen=True)
class LedgerReading:
    """How many things are not as the ledger says."""

    faults: int


@dataclass(frozen=True)
class OpenItemsReading:
    """What is open, as `status` tells it.

    Attributes:
        incidents: of the newest 30 scored days, that nobody has judged.
        labels: episodes that wait for a label.
        muted: channels of machines that the newest day's scores left out.
        unsettled: expected days that ended in no verdict.
        last: last day that will ever be expected; None: they go on.
    """

    incidents: int
    labels: int
    muted: int
    unsettled: int
    last: date | None


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
TOPICS = tuple(_KINDS)


@dataclass(frozen=True)
class Reading:
    """One topic of one detector on one UTC day.

    Attributes:
        detector: its name.
        topic: which kind `content` is.
        day: the day that it is about.
        recorded_at: when what it says was read; of two for the same day the later one stays.
        content: what was measured; None: there is nothing to say of this day any more.
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
    """What `as_json` wrote, parsed.

    Raises:
        pydantic.ValidationError: another release wrote it, with other fields.
    """
    content: Content = _KINDS[topic].validate_python(dict(plain))
    return content
