"""Task `score`: days of telemetry through the live bundle, and through its challenger in shadow.

A day's rows in `scores` and `incidents`, and its facts in `cases`, follow from the telemetry of
that day and of a look-back span of at most a day, from the bundles and from people's decisions:
never from the order in which days are scored, alone or by the hundred. So when a day's telemetry
changes, the day after it is due again as well. Scoring the same inputs again writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import NotRequired, TypedDict

import structlog

from pipeline import lineage
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day, portions
from pipeline.errors import (
    DataError,
    DaysFailed,
    OutageError,
    TableConflict,
    UnprovenBundle,
    UnprovenLedger,
)
from pipeline.metrics.readings import ScoredReading
from pipeline.retrying import ATTEMPTS, retried
from pipeline.settings import Deployment
from pipeline.steps import metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.steps.day_scores import score_day
from pipeline.steps.live import nothing_live
from pipeline.steps.scoring_inputs import (
    ScoringBundles,
    ScoringInputs,
    scoring_bundles_of,
    scoring_inputs_of,
)
from pipeline.store import score_writing
from pipeline.store.cases import settle_cases
from pipeline.store.days import settle_days
from pipeline.store.scores import DayScores
from pipeline.store.scorings import ScoringRun, last_input_names, record_scored, record_unscored
from pipeline.store.telemetry import telemetry_sizes, telemetry_version
from pipeline.utc_day import ONE_DAY

_MOST_DAYS = 61
_MOST_CELLS = 20_000_000
"""Bound memory: long ranges are read, scored and committed in parts of so many days, and of so many
rows times columns. Such a part and the day before it take 80 MB and more, some five times over.
Each part opens and commits tables, which takes a second on S3: much smaller ones are slower."""

log = structlog.get_logger()


class ScoringOutcome(TypedDict):
    """What a call has scored.

    Attributes:
        days: number of days that were asked for; 0 where nothing was scored.
        rows, flags, incidents: of these days; `incidents` are parts of incidents.
        written: days whose rows changed, later ones that became due by it included.
        version: the live version.
        challenger: the version in its shadow, or None.
        skipped: why nothing was scored: nothing is live. All other numbers are absent then.
    """

    days: int
    rows: NotRequired[int]
    flags: NotRequired[int]
    incidents: NotRequired[int]
    written: NotRequired[int]
    version: NotRequired[int]
    challenger: NotRequired[int | None]
    skipped: NotRequired[str]


@dataclass
class _Work:
    """The state of one call: its arguments and its results so far."""

    spec: DetectorSpec
    run: str
    withdrawn: int | None
    scored: dict[date, Counter[str]] = field(default_factory=dict)
    written: set[date] = field(default_factory=set)
    failures: dict[date, str] = field(default_factory=dict)
    done: set[date] = field(default_factory=set)
    readings: dict[date, ScoredReading | None] = field(default_factory=dict)

    def outcome(self, days: Sequence[date], bundles: ScoringBundles) -> ScoringOutcome:
        """What was scored on `days`, and all days that were written."""
        total = sum((self.scored.get(day, Counter()) for day in days), Counter[str]())
        return {
            "days": len(days),
            "rows": total["rows"],
            "flags": total["flags"],
            "incidents": total["incidents"],
            "written": len(self.written),
            "version": bundles.versions[0],
            "challenger": bundles.shadow,
        }


def score_days(here: Deployment, detector: str, days: Sequence[str], *, run: str) -> ScoringOutcome:
    """Write the live bundle's scores and incidents of `days` to the tables.

    Long ranges give the same tables as single days, in commits that fit into memory, two months at
    most. A day without telemetry gets no scores. While nothing is live, nothing is written and the
    result says so.

    Raises:
        DaysFailed: days that the champion cannot score, named; the others are scored by then.
        OutageError: a store or server did not answer.
    """
    return score(here, detector, [as_day(day) for day in days], run=run)


@lineage.job("score")
def score(
    here: Deployment, detector: str, days: Sequence[date], *, run: str, withdrawn: int | None = None
) -> ScoringOutcome:
    """As `score_days`; incidents that version `withdrawn` raised stay in the table as withdrawn."""
    work, began = _Work(detector_named(here, detector), run, withdrawn), datetime.now(UTC)
    wanted = sorted(set(days))
    if not wanted:
        msg = f"{detector}: no day to score; name at least one."
        raise DataError(msg)
    try:
        bundles = scoring_bundles_of(here, detector)
        if bundles is None:
            return {"days": 0, "skipped": nothing_live(here, detector)}
        for chunk in _parts(here, work.spec, wanted):
            bundles = _score_until_stable(here, work, chunk, bundles)
    except Exception as error:
        left = [day for day in wanted if day not in work.done]
        _record_failures(here, work, dict.fromkeys(left, f"{type(error).__name__}: {error}"))
        if isinstance(error, (UnprovenLedger, UnprovenBundle)):
            metrics_hooks.ledger_checked(here, detector)  # so that an alert reports it
        raise
    if work.failures:
        _record_failures(here, work, work.failures)
    settle_days(here, detector)
    metrics_hooks.scored(here, work.spec, work.readings, now=began)
    if work.failures:
        why = "; ".join(f"{day}: {reason}" for day, reason in sorted(work.failures.items()))
        msg = f"{len(work.failures)} of {len(wanted)} days of {detector} have no scores: {why}"
        raise DaysFailed(msg)
    outcome = work.outcome(wanted, bundles)
    log.info("days_scored", detector=detector, **outcome)
    return outcome


def _parts(
    here: Deployment, spec: DetectorSpec, days: Sequence[date]
) -> Iterator[tuple[date, ...]]:
    """Neighbouring days that fit into memory together; a day is never split.

    The numbers of rows are known before they are read; rows delivered meanwhile come on top.
    """
    if len(days) == 1:
        return iter([tuple(days)])
    rows = telemetry_sizes(here, spec.name)
    most = _MOST_CELLS // len(spec.columns.feature_columns)
    return portions(days, rows, most_days=_MOST_DAYS, most_rows=most)


def _score_until_stable(
    here: Deployment, work: _Work, chunk: Sequence[date], bundles: ScoringBundles
) -> ScoringBundles:
    """Score `chunk`, and days that became due by it or meanwhile, until none is due."""
    todo = set(chunk)
    lost = (
        f"{work.spec.name}: other runs changed {chunk[0]} to {chunk[-1]} {ATTEMPTS} times in a "
        "row; retry, or let fewer runs score the same days at once."
    )
    for _ in range(ATTEMPTS):
        due = partial(_score_once, here, work, sorted(todo), bundles)
        inputs = retried(due, on=TableConflict, lost=lost)
        work.done |= todo
        bundles = scoring_bundles_of(here, work.spec.name) or bundles
        todo = _due_again(here, work, todo, inputs, bundles)
        if not todo:
            return bundles
    raise OutageError(lost)


def _score_once(
    here: Deployment, work: _Work, days: Sequence[date], bundles: ScoringBundles
) -> ScoringInputs:
    """Score the present inputs of `days` and write the results; return the inputs."""
    name = work.spec.name
    before = score_writing.held(here, name, days)  # first, so that a later change is noticed
    known = last_input_names(here, name, days)
    inputs = scoring_inputs_of(here, work.spec, days, bundles)
    scored = list(_scored(work, inputs))
    # First, so that no day counts as scored that the cases do not know.
    settle_cases(here, name, {each.day: each.facts for each in scored})
    changed = score_writing.commit(
        here, name, scored, before, withdrawn=work.withdrawn, run=work.run
    )
    rows = [
        (each, inputs.days[each.day].name)
        for each in scored
        if each.day in changed or known.get(each.day) != inputs.days[each.day].name
    ]
    about = ScoringRun(
        scored_at=datetime.now(UTC),
        run_id=work.run,
        version=bundles.versions[0],
        challenger=bundles.shadow,
        threshold=bundles.champion.bundle.threshold,
        telemetry_version=inputs.telemetry,
    )
    record_scored(here, name, rows, about)
    work.written |= changed
    return inputs


def _scored(work: _Work, inputs: ScoringInputs) -> Iterator[DayScores]:
    for day in inputs.days.values():
        try:
            scored = score_day(work.spec, inputs, day)
        except DataError as error:
            work.failures[day.day] = str(error)
            continue
        work.failures.pop(day.day, None)
        work.scored[day.day] = Counter(
            rows=scored.rows, flags=scored.flags, incidents=len(scored.parts)
        )
        work.readings[day.day] = metrics_hooks.scored_reading(scored, inputs.bundles.champion)
        yield scored


def _due_again(
    here: Deployment, work: _Work, days: set[date], inputs: ScoringInputs, bundles: ScoringBundles
) -> set[date]:
    """Days whose input changed while they were scored, and days after them that looked back on it.

    Each run checks after it has written, so at least one of two concurrent runs sees the other.
    """
    name = work.spec.name
    after = {day + ONE_DAY for day in days} - days
    known = last_input_names(here, name, sorted(after)) if after else {}
    moved = bundles.versions != inputs.bundles.versions
    own = days if moved or telemetry_version(here, name) != inputs.telemetry else set()
    if not known and not own:
        return set()
    now = scoring_inputs_of(here, work.spec, sorted(own | set(known)), bundles)
    due = {day for day in own if now.days[day].name != inputs.days[day].name}
    return due | {day for day, name in known.items() if not name.startswith(now.days[day].rows)}


def _record_failures(here: Deployment, work: _Work, failures: dict[date, str]) -> None:
    record_unscored(here, work.spec.name, failures, now=datetime.now(UTC), run=work.run)
