"""Readings for Prometheus: one call for each of the other steps, after its own commits.

Without `PLIMSOLL_DATABASE` nothing is recorded. Where the store does not answer the task fails and
is retried; the retry finds the work done and still records it. Each reading is complete for its
day, so the order of days and repetition do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from pipeline.config import DetectorSpec
from pipeline.drift import DriftVerdict
from pipeline.drift.latent import latent_distance
from pipeline.drift.observed import ObservedRows, Period
from pipeline.metrics import build
from pipeline.metrics.readings import (
    DriftReading,
    FitReading,
    LedgerReading,
    Reading,
    ScoredReading,
)
from pipeline.registry.connection import connect
from pipeline.settings import Deployment
from pipeline.steps import ledger_state, trust
from pipeline.steps.day_metrics import keep, open_items_now
from pipeline.steps.live import LoadedVersion
from pipeline.store.scores import DayScores
from pipeline.store.thresholds import read_thresholds


def scored_reading(scored: DayScores, champion: LoadedVersion) -> ScoredReading | None:
    """The reading of a day's scores by the champion, or None for a day without rows."""
    if not scored.rows:
        return None
    scores = scored.scores["score"].slice(0, scored.rows)  # the champion's come first
    threshold = champion.bundle.description.threshold
    return build.scored(scores.to_numpy().astype("f8"), scored.flags, threshold)


def scored(
    here: Deployment,
    spec: DetectorSpec,
    days: Mapping[date, ScoredReading | None],
    *,
    now: datetime,
) -> None:
    """Record days that were scored, the live version, and the open items.

    `now` is a time before the scores were read or made: a later reading replaces this one.
    """
    readings = [Reading(spec.name, "scored", day, now, content) for day, content in days.items()]
    keep(
        here,
        [*readings, *_live(here, spec.name), *_trust(here, spec.name), *open_items_now(here, spec)],
    )


def drifted(
    here: Deployment,
    spec: DetectorSpec,
    champion: LoadedVersion,
    verdicts: Mapping[tuple[date, Period], DriftVerdict | None],
    rows: ObservedRows | None,
    *,
    now: datetime,
) -> None:
    """Record days whose verdicts were made, or made again; `rows` are the rows behind them.

    The verdict of the week up to a day counts, as a day is mostly weather; the day's own where the
    week has none.
    """
    if here.database is None:
        return
    readings = []
    for day in sorted({day for day, _ in verdicts}):
        verdict = verdicts.get((day, "week")) or verdicts.get((day, "day"))
        content: DriftReading | None = None
        if verdict is not None and rows is not None:
            content = build.drifted(
                verdict, latent_distance(champion.bundle, rows.between(day, day))
            )
        readings.append(Reading(spec.name, "drifted", day, now, content))
    keep(here, readings)


def trained(here: Deployment, detector: str, seconds: float, *, now: datetime) -> None:
    """Record how long a fit took."""
    keep(here, [Reading(detector, "trained", now.astimezone(UTC).date(), now, FitReading(seconds))])


def went_live(here: Deployment, detector: str) -> None:
    """Record the live version after a promotion or a rollback, and whether the ledger holds."""
    keep(here, [*_live(here, detector), *_trust(here, detector)])


def ledger_checked(here: Deployment, detector: str) -> None:
    """Record the faults of the ledger, after scoring was refused because of them."""
    keep(here, _trust(here, detector))


def _live(here: Deployment, detector: str) -> list[Reading]:
    now = datetime.now(UTC)
    if here.database is None:
        return []
    content = build.live(ledger_state.read(here, detector).changes, _thresholds(here, detector))
    return [Reading(detector, "live", now.date(), now, content)] if content else []


def _trust(here: Deployment, detector: str) -> list[Reading]:
    now = datetime.now(UTC)
    if here.database is None:
        return []
    found = len(trust.faults_of(here, connect(here), detector))
    return [Reading(detector, "trust", now.date(), now, LedgerReading(found))]


def _thresholds(here: Deployment, detector: str) -> list[dict[str, object]]:
    rows = read_thresholds(here, detector, ["version", "weights_of", "created_at"])
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
