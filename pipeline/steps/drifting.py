"""Task `judge_drift` of the score DAG: a verdict for each day, and for the rolling week up to it.

The verdict of a day follows from the rows up to that day, their scores by the live version and the
labels made by then, never from the order in which days are judged: the tests keep no state, and a
run that adds a day judges every week again that contains it. A week is judged once there are rows
on its last day and on more than half of its days; without them it has no verdict.

A newest week that is a degradation opens the case of it, or extends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NotRequired, TypedDict

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day, stretches
from pipeline.drift import DriftVerdict, Kind
from pipeline.drift.observed import TwoMemories, remembered, verdicts_of_days
from pipeline.errors import TableConflict
from pipeline.incidents.judging import fitted_columns
from pipeline.retrying import ATTEMPTS, retried
from pipeline.settings import Deployment
from pipeline.steps import degrading, live, metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.steps.drift_evidence import observed_rows
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.store.drift import DriftState, drift_state, drift_version, replace_verdicts
from pipeline.utc_day import ONE_DAY

_CHUNK_DAYS = 92  # bounds memory

log = structlog.get_logger()


class VerdictSummary(TypedDict):
    """A drift verdict without its evidence."""

    kind: Kind
    action: str
    level: str
    reason: str


class DriftOutcome(TypedDict):
    """The verdicts of the newest day that was judged.

    Attributes:
        days: number of days that were asked for.
        changed: days whose verdict changed.
        date: the newest of them, ISO.
        version: the live version.
        day, week: the verdicts of that day and of the week up to it; absent: there is none.
        skipped: why nothing was judged: nothing is live. All else is absent then.
    """

    days: NotRequired[int]
    changed: NotRequired[int]
    date: NotRequired[str]
    version: NotRequired[int]
    day: NotRequired[VerdictSummary]
    week: NotRequired[VerdictSummary]
    skipped: NotRequired[str]


def judge_days(
    here: Deployment, detector: str, days: list[str], *, run: str, history: bool = False
) -> DriftOutcome:
    """Judge `days` and the days that depend on them; return the verdicts of the newest one.

    A day's rows may change the scores of the next day (muting looks back), so that day is judged
    again too, if it has rows. `history`: a backfill, which opens no case.

    Raises:
        DataError: the live version needs rows of another meaning than the detector file says.
        OutageError: other runs kept changing the same days, or a store did not answer.
    """
    spec = detector_named(here, detector)
    champion = live.champion_or_none(here, detector)
    if champion is None:
        return {"skipped": live.nothing_live(here, detector)}
    refuse_unfit(champion, spec)
    spec = spec.model_copy(update={"columns": fitted_columns(champion.bundle)})
    wanted = sorted(set(map(as_day, days)))
    known = remembered(champion.bundle, spec)
    changed = sum(
        _judge_until_stable(here, spec, champion, known, chunk, run)
        for chunk in stretches(wanted, most=_CHUNK_DAYS)
    )
    state = drift_state(here, spec, wanted[-1])
    summary: DriftOutcome = _summary(state) if state and state.day == wanted[-1] else {}
    if state is not None and not history:
        degrading.put_week_on_record(here, spec, champion, state)
    log.info("drift_judged", detector=detector, days=len(wanted), changed=changed, **summary)
    return {
        "days": len(wanted),
        "changed": changed,
        "date": wanted[-1].isoformat(),
        "version": champion.version.number,
        **summary,
    }


def _judge_until_stable(
    here: Deployment,
    spec: DetectorSpec,
    champion: LoadedVersion,
    known: TwoMemories,
    days: Sequence[date],
    run: str,
) -> int:
    """Judge neighbouring `days` until no other run changes them meanwhile; return days changed."""
    reach = timedelta(days=spec.drift.rolling_days)

    def judge_once() -> int:
        now, based_on = datetime.now(UTC), drift_version(here, spec.name)
        rows = observed_rows(here, spec, champion, days[0] - reach + ONE_DAY, days[-1] + reach)
        fresh = dict(verdicts_of_days(spec, champion.bundle, known, days, rows))
        number = champion.version.number
        changed = replace_verdicts(here, spec, fresh, version=number, based_on=based_on, run=run)
        metrics_hooks.drifted(here, spec, champion, fresh, rows, now=now)
        return changed

    lost = (
        f"{spec.name}: other runs changed the verdicts of {days[0]} to {days[-1]} {ATTEMPTS} "
        "times; retry, or let fewer runs judge the same days at once."
    )
    return retried(judge_once, on=TableConflict, lost=lost)


def _summary(state: DriftState) -> DriftOutcome:
    found: DriftOutcome = {}
    if state.of_day is not None:
        found["day"] = _without_evidence(state.of_day)
    if state.of_week is not None:
        found["week"] = _without_evidence(state.of_week)
    return found


def _without_evidence(verdict: DriftVerdict) -> VerdictSummary:
    return {
        "kind": verdict.kind,
        "action": verdict.action,
        "level": verdict.level,
        "reason": verdict.reason,
    }
