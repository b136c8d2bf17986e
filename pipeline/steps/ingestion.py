"""Ingestion: the tasks `fetch`, `validate` and `write`, and `load` for all three.

The tasks hand each other staged files. Doing a stage again is safe: `write` makes the tables hold
exactly what validation let through, however often and by however many writers it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TypedDict

import structlog

from pipeline import lineage
from pipeline.config import DetectorSpec
from pipeline.data.contract import validate_days
from pipeline.data.grid import as_day, days_between
from pipeline.data.meaning import meaning_of
from pipeline.data.resting import Resting, resting_text
from pipeline.data.sources.locations import anchored
from pipeline.errors import DataError, DaysFailed, PartitionBlocked
from pipeline.records import Payload, from_json, to_json
from pipeline.settings import Deployment
from pipeline.steps import day_metrics
from pipeline.steps.candidate import detector_named
from pipeline.steps.fetched_days import readable_days
from pipeline.store.days import settle_days
from pipeline.store.fits import AGAIN, misfits_text, unfit_days
from pipeline.store.ingestions import (
    Attempt,
    DayState,
    LatestState,
    latest_states,
    record_failure,
    resting_before,
)
from pipeline.store.staged import Staged, raw_rows, stage_validated, validated_days
from pipeline.store.writing import write_part

_NEIGHBOURHOOD = timedelta(days=7)

_WORDS: Mapping[DayState, str] = {"quarantined": "are blocked", "failed": "have failed"}
"""States in which a day has no rows and somebody must act."""

log = structlog.get_logger()


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
    """Stage the raw rows of `days`, and nothing of any other day.

    A day whose rows cannot be read is recorded as failed, and costs no other day anything.

    Raises:
        DaysFailed: no day can be read.
    """
    spec = _spec(here, detector)
    wanted = sorted({as_day(day) for day in days})
    _refuse_future(wanted)
    with _failure_recorded(here, spec, wanted, run):
        staged, unread = readable_days(here, spec, wanted)
    _record_unread(here, spec, unread, run)
    if unread and not staged.parts:
        first = unread[min(unread)]
        raise DaysFailed(str(first)) from first
    return to_json(staged)


@lineage.stage("ingest")
def validate(here: Deployment, payload: Payload[Staged], *, run: str) -> Payload[Staged]:
    """Stage what may become telemetry and what goes to quarantine, by which rule."""
    staged = from_json(Staged, payload)
    spec = _spec(here, staged.detector)
    with _failure_recorded(here, spec, _days(staged), run):
        return to_json(validate_staged(here, spec, staged))


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
        attempts = write_staged(here, spec, staged, now=now, run_id=run)
    if all(attempt.standing != "validated" for attempt in attempts):
        settle_days(here, spec.name)  # otherwise scoring follows, and settles them
    day_metrics.ingested(here, spec, attempts, now=now)
    if refuse:
        refuse_attempts(attempts)
    return {
        "days": len(attempts),
        "accepted": sum(attempt.accepted for attempt in attempts),
        "rejected": sum(attempt.rejected for attempt in attempts),
        "verdicts": dict(Counter(attempt.verdict for attempt in attempts)),
    }


def load(here: Deployment, detector: str, days: list[str], *, run: str) -> IngestionCounts:
    """Run all three stages for `days` and return the counts that `write` returns.

    A day that is blocked, or cannot be read, is recorded and does not raise: the others go on. See
    `refuse_blocked`.

    Raises:
        DaysFailed: no day can be read.
    """
    staged = validate(here, fetch(here, detector, days, run=run), run=run)
    return write(here, staged, run=run, refuse=False)


def refuse_blocked(here: Deployment, detector: str, days: list[str]) -> None:
    """Raise if one of `days` is blocked, as `write` does for its own days, or has failed.

    Raises:
        DaysFailed: names the days and the reasons; a `PartitionBlocked` if one is blocked.
    """
    refuse_attempts(states_of(here, detector, days))


def states_of(here: Deployment, detector: str, days: list[str]) -> list[LatestState]:
    """The latest state of each of `days` that was ever attempted, oldest first."""
    wanted = {as_day(day) for day in days}
    found = latest_states(here, detector, min(wanted), max(wanted))
    return [each for each in found if each.day in wanted]


def validate_staged(here: Deployment, spec: DetectorSpec, staged: Staged) -> Staged:
    """Stage the rows that may become telemetry, and rejected rows and cells with their rule."""
    done: tuple[date, tuple[Resting, ...]] | None = None
    for part in staged.parts:
        # The days of the parts before are not on record yet.
        known = resting_before(here, spec.name, part.days[0])
        known = max(filter(None, (known, done)), key=lambda each: each[0], default=None)
        before = None if known is None else known[1]
        validated = validate_days(raw_rows(part), spec, part.days, before)
        stage_validated(part, validated, spec)
        reports = [result.report for result in validated.values()]
        if reports[-1].resting is not None:
            done = (part.days[-1], reports[-1].resting)
        if before is None:
            _warn_of_resting(spec, reports[-1].resting or ())
        log.info(
            "days_validated",
            first_day=str(part.days[0]),
            last_day=str(part.days[-1]),
            accepted=sum(report.accepted for report in reports),
            partial=sum(report.partial for report in reports),
            rejected=sum(sum(report.rejected.values()) for report in reports),
            blocked=sum(report.verdict == "quarantined" for report in reports),
        )
    return staged


def write_staged(
    here: Deployment, spec: DetectorSpec, staged: Staged, *, now: datetime, run_id: str
) -> list[Attempt]:
    """Bring `telemetry` and `quarantine` up to date and record one attempt a day.

    Days that did not change are left alone. A blocked day goes to quarantine whole and leaves
    `telemetry` as it was; so does a day for which the source delivered nothing. Does not raise for
    blocked days: see `refuse_attempts`.

    Raises:
        OutageError: the store does not answer, or other writers kept winning.
    """
    attempts: list[Attempt] = []
    for part in staged.parts:
        days = validated_days(part)
        attempts += write_part(here, spec, part.days, days, now=now, run_id=run_id)
    counts = Counter[str](attempt.verdict for attempt in attempts)
    log.info("days_written", detector=spec.name, **counts)
    _warn_of_others(here, spec, attempts)
    return attempts


def refuse_attempts(attempts: Sequence[Attempt | LatestState]) -> None:
    """Raise if a day was blocked or has failed; the tables hold everything about it already.

    Raises:
        DaysFailed: names each such day and why; a `PartitionBlocked` if one is blocked.
    """
    bad = [attempt for attempt in attempts if attempt.standing in _WORDS]
    if bad:
        words = sorted({_WORDS[attempt.standing] for attempt in bad})
        reasons = "\n".join(f"{attempt.day}: {attempt.reasons}" for attempt in bad)
        msg = f"{len(bad)} of {len(attempts)} days {' or '.join(words)}:\n{reasons}"
        blocked = any(attempt.standing == "quarantined" for attempt in bad)
        raise PartitionBlocked(msg) if blocked else DaysFailed(msg)


def _warn_of_resting(spec: DetectorSpec, resting: Sequence[Resting]) -> None:
    """Log, at the first load, which channels have never moved: they are no fault."""
    if resting:
        log.warning(
            "channels_never_moved",
            detector=spec.name,
            channels=resting_text(resting),
            fix="they may be constant until they move; set may_be_constant, or correct the source",
        )


def _warn_of_others(here: Deployment, spec: DetectorSpec, attempts: Sequence[Attempt]) -> None:
    """Log a warning when earlier days mean something else than those that were written now.

    Ingesting them again fixes that, so nothing is refused here.
    """
    written = [attempt.day for attempt in attempts if attempt.accepted]
    if not written:
        return
    before = days_between(min(written) - _NEIGHBOURHOOD, max(written))
    others = sorted(set(before) - set(written))
    if unfit := unfit_days(here, spec.name, meaning_of(spec.columns), others):
        log.warning(
            "other_days_mean_otherwise", detector=spec.name, why=misfits_text(unfit), fix=AGAIN
        )


def _refuse_future(days: list[date]) -> None:
    """Reject days that have not begun: a record of such a day would count as final."""
    today = datetime.now(UTC).date()
    if max(days, default=today) > today:
        msg = (
            f"the day {max(days)} has not begun; the last that can be ingested is {today} (UTC). "
            "Correct the day."
        )
        raise DataError(msg)


def _record_unread(
    here: Deployment, spec: DetectorSpec, unread: Mapping[date, DataError], run: str
) -> None:
    """Record the days that cannot be read as failed, in one commit for each reason."""
    by_reason: dict[str, list[date]] = {}
    for day, error in unread.items():
        by_reason.setdefault(_reason(error), []).append(day)
    for reason, days in by_reason.items():
        record_failure(here, spec, days, reason, now=datetime.now(UTC), run_id=run)


@contextmanager
def _failure_recorded(
    here: Deployment, spec: DetectorSpec, days: list[date], run: str
) -> Iterator[None]:
    """Record any exception for each day before it is raised, so that no day is skipped silently."""
    try:
        yield
    except Exception as error:
        record_failure(here, spec, days, _reason(error), now=datetime.now(UTC), run_id=run)
        raise


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _source_of(spec: DetectorSpec) -> str:
    """The source of the raw rows, for the lineage; a database's address stays a secret."""
    return str(getattr(spec.source, "path", f"{spec.source.kind}://{spec.name}"))


def _days(staged: Staged) -> list[date]:
    return [day for part in staged.parts for day in part.days]


def _spec(here: Deployment, detector: str) -> DetectorSpec:
    """The detector file, its relative source paths anchored at the deployment's data root."""
    spec = detector_named(here, detector)
    return spec.model_copy(update={"source": anchored(spec.source, here.data)})
