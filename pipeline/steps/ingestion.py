"""Tasks `fetch`, `validate`, `write`, and `load` for all three: from the source to the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TypedDict

from pipeline import lineage
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.data.sources import SOURCES
from pipeline.data.sources.anchoring import anchored
from pipeline.errors import DataError
from pipeline.records import Payload, from_json, to_json
from pipeline.settings import Deployment
from pipeline.steps import ingest_stages, metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.store.days import settle_days
from pipeline.store.ingestions import latest_states, record_failure
from pipeline.store.staged import Staged
from pipeline.utc_day import end_of, midnight


class IngestionCounts(TypedDict):
    """What an ingestion did.

    Attributes:
        days: number of days.
        accepted, rejected: rows.
        verdicts: number of days by verdict.
    """

    days: int
    accepted: int
    rejected: int
    verdicts: dict[str, int]


@lineage.stage("ingest")
def fetch(here: Deployment, detector: str, days: list[str], *, run: str) -> Payload[Staged]:
    """Stage the raw rows of `days`, and nothing of any other day."""
    spec = _spec(here, detector)
    wanted = [as_day(day) for day in days]
    _refuse_future(wanted)
    with _failure_recorded(here, spec, wanted, run):
        return to_json(ingest_stages.fetch(spec, wanted, root=here.storage, cache=here.cache))


@lineage.stage("ingest")
def validate(here: Deployment, payload: Payload[Staged], *, run: str) -> Payload[Staged]:
    """Stage what may become telemetry and what goes to quarantine, by which rule."""
    staged = from_json(Staged, payload)
    spec = _spec(here, staged.detector)
    with _failure_recorded(here, spec, _days(staged), run):
        return to_json(ingest_stages.validate(spec, staged))


@lineage.job("ingest")
def write(
    here: Deployment, payload: Payload[Staged], *, run: str, refuse: bool = True
) -> IngestionCounts:
    """Bring the tables up to date; then raise if a day was blocked, unless `refuse` is false.

    Raises:
        PartitionBlocked: names the days and the rules; everything is recorded by then.
    """
    staged = from_json(Staged, payload)
    spec = _spec(here, staged.detector)
    lineage.note_read(_source_of(spec))
    now = datetime.now(UTC)
    with _failure_recorded(here, spec, _days(staged), run):
        attempts = ingest_stages.write(spec, staged, root=here.storage, now=now, run_id=run)
    if all(attempt.standing != "validated" for attempt in attempts):
        settle_days(here, spec.name)  # otherwise scoring follows, and settles them
    metrics_hooks.ingested(here, spec, attempts, now=now)
    if refuse:
        ingest_stages.refuse_blocked(attempts)
    return {
        "days": len(attempts),
        "accepted": sum(attempt.accepted for attempt in attempts),
        "rejected": sum(attempt.rejected for attempt in attempts),
        "verdicts": dict(Counter(attempt.verdict for attempt in attempts)),
    }


def load(here: Deployment, detector: str, days: list[str], *, run: str) -> IngestionCounts:
    """Run all three stages for `days` and return the counts that `write` returns.

    A blocked day is recorded and does not raise: the others go on. See `refuse_blocked`.
    """
    staged = validate(here, fetch(here, detector, days, run=run), run=run)
    return write(here, staged, run=run, refuse=False)


def refuse_blocked(here: Deployment, detector: str, days: list[str]) -> None:
    """Raise if one of `days` is blocked, as `write` does for its own days.

    Raises:
        PartitionBlocked: names the days and the rules.
    """
    wanted = [as_day(day) for day in days]
    root = here.storage
    attempts = latest_states(root, detector, min(wanted), max(wanted))
    ingest_stages.refuse_blocked([each for each in attempts if each.day in wanted])


def rows_at_source(here: Deployment, detector: str, day: date) -> int:
    """The number of rows that the source has for `day`; nothing is staged or recorded.

    Raises:
        OutageError: the source did not answer.
    """
    spec = _spec(here, detector)
    fetched = SOURCES[spec.source.kind]
    return len(fetched(spec.source, spec.columns, midnight(day), end_of(day), here.cache))


def _refuse_future(days: list[date]) -> None:
    """Reject days that have not begun: a record of such a day would count as final."""
    today = datetime.now(UTC).date()
    if max(days, default=today) > today:
        msg = (
            f"the day {max(days)} has not begun; the last that can be ingested is {today} (UTC). "
            "Correct the day."
        )
        raise DataError(msg)


@contextmanager
def _failure_recorded(
    here: Deployment, spec: DetectorSpec, days: list[date], run: str
) -> Iterator[None]:
    """Record any exception for each day before it is raised, so that no day is skipped silently."""
    try:
        yield
    except Exception as error:
        record_failure(
            spec,
            days,
            f"{type(error).__name__}: {error}",
            root=here.storage,
            now=datetime.now(UTC),
            run_id=run,
        )
        raise


def _source_of(spec: DetectorSpec) -> str:
    """The source of the raw rows, for the lineage; a database's address stays a secret."""
    return str(getattr(spec.source, "path", f"{spec.source.kind}://{spec.name}"))


def _days(staged: Staged) -> list[date]:
    return [day for part in staged.parts for day in part.days]


def _spec(here: Deployment, detector: str) -> DetectorSpec:
    """The detector file, its relative source paths anchored at the deployment's data root."""
    spec = detector_named(here, detector)
    return spec.model_copy(update={"source": anchored(spec.source, here.data)})
