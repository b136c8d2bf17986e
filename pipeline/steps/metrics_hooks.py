"""What the other steps leave behind for Prometheus: one call each, after their own commits.

Without `PLIMSOLL_DATABASE` nothing is recorded. Where the store does not answer the task fails and
is retried; it then finds its own work done, and records all the same. Each reading holds all there
is to say of its day, so it does not matter in which order days come, or how often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline import settings, tables
from pipeline.config import DetectorSpec
from pipeline.data.attempts import Attempt
from pipeline.drift import DriftVerdict
from pipeline.drift.latent import latent_distance
from pipeline.metrics import build, store
from pipeline.metrics.readings import (
    DriftReading,
    FitReading,
    LedgerReading,
    OpenItemsReading,
    Reading,
    ScoredReading,
)
from pipeline.registry.connection import connect
from pipeline.settings import Settings
from pipeline.steps import ledger_state
from pipeline.steps.candidate import detector_named
from pipeline.steps.live import LoadedVersion
from pipeline.tables import Table

if TYPE_CHECKING:
    from pipeline.steps.operation.day_scores import DayScores
    from pipeline.steps.operation.drift_evidence import Seen
    from pipeline.steps.operation.drift_table import Period


def ingested(spec: DetectorSpec, attempts: Sequence[Attempt], *, now: datetime) -> None:
    """Record days that were ingested; and what is open then, unless scoring follows and says so.

    To find out what is open takes a second of a detector with a year of days.
    """
    name = spec.name
    readings = [Reading(name, "ingested", each.day, now, build.ingested(each)) for each in attempts]
    follows = any(each.standing == "validated" for each in attempts)
    _keep(readings if follows else [*readings, *_standing(spec)])


def scored_reading(scored: DayScores, judge: LoadedVersion) -> ScoredReading | None:
    """What there is to say of a day's scores by the champion; None of a day without rows."""
    if not scored.rows:
        return None
    scores = scored.scores["score"].slice(0, scored.rows)  # the champion's come first
    line = judge.bundle.description.threshold
    return build.scored(scores.to_numpy().astype("f8"), scored.flags, line)


def scored(spec: DetectorSpec, days: Mapping[date, ScoredReading | None], *, now: datetime) -> None:
    """Record days that were scored, what is live, and what is open then.

    `now` is a time before the scores were read or made: who read them later knows better.
    """
    readings = [Reading(spec.name, "scored", day, now, content) for day, content in days.items()]
    _keep([*readings, *_live(spec.name), *_trust(spec.name), *_standing(spec)])


def drifted(
    spec: DetectorSpec,
    judge: LoadedVersion,
    verdicts: Mapping[tuple[date, Period], DriftVerdict | None],
    rows: Seen | None,
    *,
    now: datetime,
) -> None:
    """Record days whose verdicts were made, or made again; `rows` are those they rest on.

    The week up to a day speaks for it, as a day is mostly weather; the day alone where the week
    has no verdict.
    """
    if settings.load().database is None:
        return
    readings = []
    for day in sorted({day for day, _ in verdicts}):
        verdict = verdicts.get((day, "week")) or verdicts.get((day, "day"))
        content: DriftReading | None = None
        if verdict is not None and rows is not None:
            content = build.drifted(verdict, latent_distance(judge.bundle, rows.between(day, day)))
        readings.append(Reading(spec.name, "drifted", day, now, content))
    _keep(readings)


def trained(detector: str, seconds: float, *, now: datetime) -> None:
    """Record how long a fit took."""
    _keep([Reading(detector, "trained", now.astimezone(UTC).date(), now, FitReading(seconds))])


def went_live(detector: str) -> None:
    """Record what is live, after a promotion or a rollback, and whether the ledger holds."""
    _keep([*_live(detector), *_trust(detector)])


def ledger_checked(detector: str) -> None:
    """Record what is not as the ledger says, after scoring has refused it."""
    _keep(_trust(detector))


def open_items(detector: str) -> None:
    """Record what is open, after somebody has answered."""
    if settings.load().database is None:
        return
    _keep(_standing(detector_named(detector)))


def _keep(readings: Sequence[Reading]) -> None:
    here = settings.load()
    if here.database is not None:
        store.record(here.database, readings)


def _standing(spec: DetectorSpec) -> list[Reading]:
    """What is open; nothing where nobody keeps it, as it takes many tables to find out."""
    # Here, because what is open is found with the very steps that record it.
    from pipeline.steps.oversight.open_points import open_points

    here, now = settings.load(), datetime.now(UTC)
    if here.database is None:
        return []
    points = open_points(spec, root=here.storage, now=now)
    content = OpenItemsReading(
        incidents=len(points.incidents),
        labels=points.labels_waiting,
        muted=len(points.muted),
        unsettled=len(points.unsettled),
        last=spec.schedule.end,
    )
    return [Reading(spec.name, "standing", now.date(), now, content)]


def _live(detector: str) -> list[Reading]:
    here, now = settings.load(), datetime.now(UTC)
    if here.database is None:
        return []
    content = build.live(ledger_state.read(here, detector).changes, _lines(here, detector))
    return [Reading(detector, "live", now.date(), now, content)] if content else []


def _trust(detector: str) -> list[Reading]:
    # Here, because what is found is what `status` tells, which records nothing.
    from pipeline.steps.oversight.trust import faults_of

    here, now = settings.load(), datetime.now(UTC)
    if here.database is None:
        return []
    found = len(faults_of(here, connect(here), detector))
    return [Reading(detector, "trust", now.date(), now, LedgerReading(found))]


def _lines(here: Settings, detector: str) -> list[dict[str, object]]:
    rows = tables.read(
        Table(here.storage, detector, "thresholds"), columns=["version", "weights_of", "created_at"]
    )
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
