"""Ingest days: fetch, validate and write, three stages that hand each other staged files.

Doing a stage again is safe. `write` makes the tables hold exactly what validation let through,
however often and by however many writers it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.contract import validate_days
from pipeline.data.grid import days_between, require_day, stretches
from pipeline.data.meaning import meaning_of
from pipeline.data.sources import SOURCES
from pipeline.errors import DataError, PartitionBlocked
from pipeline.store.fits import AGAIN, misfits_text, unfit_days
from pipeline.store.ingestions import Attempt, LatestState
from pipeline.store.staged import Staged, raw_rows, stage_raw, stage_validated, validated_days
from pipeline.store.writing import write_part
from pipeline.utc_day import end_of, midnight

_NEIGHBOURHOOD = timedelta(days=7)
_CHUNK_DAYS = 31  # bounds memory; long ranges are fetched, validated and committed in such parts

log = structlog.get_logger()


def fetch(spec: DetectorSpec, days: Sequence[date], *, root: str, cache: Path) -> Staged:
    """Stage the raw rows of `days`, and nothing of any other day.

    Args:
        spec: the detector.
        days: UTC days, in any order.
        root: storage root of tables and staged files.
        cache: local folder that a source may use between calls.

    Raises:
        OutageError: the source did not answer.
        DataError: it can never be read, no day was asked for, or one that no table can hold.
    """
    if not days:
        msg = f"{spec.name}: no day to ingest; name at least one."
        raise DataError(msg)
    for day in days:
        require_day(day)
    parts = []
    for chunk in stretches(sorted(set(days)), most=_CHUNK_DAYS):
        start, end = midnight(chunk[0]), end_of(chunk[-1])
        raw = SOURCES[spec.source.kind](spec.source, spec.columns, start, end, cache)
        parts.append(stage_raw(raw, chunk, root, spec))
        log.info(
            "raw_rows_fetched", first_day=str(chunk[0]), last_day=str(chunk[-1]), rows=len(raw)
        )
    return Staged(spec.name, tuple(parts))


def validate(spec: DetectorSpec, staged: Staged) -> Staged:
    """Stage the rows that may become telemetry, and the rejected ones with the rule they broke."""
    for part in staged.parts:
        validated = validate_days(raw_rows(part), spec, part.days)
        stage_validated(part, validated, spec)
        reports = [result.report for result in validated.values()]
        log.info(
            "days_validated",
            first_day=str(part.days[0]),
            last_day=str(part.days[-1]),
            accepted=sum(report.accepted for report in reports),
            rejected=sum(sum(report.rejected.values()) for report in reports),
            blocked=sum(report.verdict == "quarantined" for report in reports),
        )
    return staged


def write(
    spec: DetectorSpec, staged: Staged, *, root: str, now: datetime, run_id: str
) -> list[Attempt]:
    """Bring `telemetry` and `quarantine` up to date and record one attempt a day.

    Days that did not change are left alone. A blocked day goes to quarantine whole and leaves
    `telemetry` as it was; so does a day for which the source delivered nothing. Does not raise for
    blocked days: see `refuse_blocked`.

    Raises:
        OutageError: the store does not answer, or other writers kept winning.
    """
    attempts: list[Attempt] = []
    for part in staged.parts:
        attempts += write_part(
            spec, part.days, validated_days(part), root=root, now=now, run_id=run_id
        )
    counts = Counter[str](attempt.verdict for attempt in attempts)
    log.info("days_written", detector=spec.name, **counts)
    _warn_of_others(spec, attempts, root)
    return attempts


def _warn_of_others(spec: DetectorSpec, attempts: Sequence[Attempt], root: str) -> None:
    """Log a warning when earlier days mean something else than those that were written now.

    Ingesting them again fixes that, so nothing is refused here.
    """
    written = [attempt.day for attempt in attempts if attempt.accepted]
    if not written:
        return
    before = days_between(min(written) - _NEIGHBOURHOOD, max(written))
    others = sorted(set(before) - set(written))
    if unfit := unfit_days(root, spec.name, meaning_of(spec.columns), others):
        log.warning(
            "other_days_mean_otherwise", detector=spec.name, why=misfits_text(unfit), fix=AGAIN
        )


def refuse_blocked(attempts: Sequence[Attempt | LatestState]) -> None:
    """Raise if a day was blocked; the tables hold everything about it already.

    Raises:
        PartitionBlocked: names each blocked day and why.
    """
    blocked = [attempt for attempt in attempts if attempt.standing == "quarantined"]
    if blocked:
        reasons = "\n".join(f"{attempt.day}: {attempt.reasons}" for attempt in blocked)
        msg = f"{len(blocked)} of {len(attempts)} days are blocked:\n{reasons}"
        raise PartitionBlocked(msg)
