"""Task `judge_drift` of the score DAG: a verdict for each day, and for the rolling week up to it.

The verdict of a day follows from the rows up to that day, their scores by the live version and the
labels made by then, never from the order in which days are judged: the tests keep no state, and a
run that adds a day judges every week again that contains it. A week is judged once there are rows
on its last day and on more than half of its days; without them it has no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import structlog

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day, stretches
from pipeline.drift import Baseline, DriftVerdict, Sample, baseline, judge
from pipeline.drift.evidence import entity_apart, without
from pipeline.drift.samples import reference_sample
from pipeline.errors import OutageError, TableConflict
from pipeline.evaluation.rate import RealisedRate, realised_rate
from pipeline.incidents.judging import fitted_columns
from pipeline.settings import Deployment
from pipeline.steps import live, metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.steps.drift_evidence import ObservedRows, observed_rows
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.store.drift import DriftState, Period, drift_state, replace_verdicts
from pipeline.tables import Table

_CHUNK_DAYS = 92  # bounds memory
_ATTEMPTS = 5
_ONE_DAY = timedelta(days=1)

log = structlog.get_logger()


def judge_days(here: Deployment, detector: str, days: list[str], *, run: str) -> dict[str, Any]:
    """Judge `days` and the days that depend on them; return the verdicts of the newest one.

    A day's rows may change the scores of the next day (muting looks back), so that day is judged
    again too, if it has rows.

    Raises:
        DataError: the live version needs rows of another meaning than the detector file says.
        OutageError: other runs kept changing the same days, or a store did not answer.
    """
    spec = detector_named(here, detector)
    champion = live.champion_or_none(here, detector)
    if champion is None:
        return {"skipped": f"{detector} has no champion yet; run its train DAG."}
    refuse_unfit(champion, spec)
    spec = spec.model_copy(update={"columns": fitted_columns(champion.bundle)})
    wanted = sorted(set(map(as_day, days)))
    known = baseline(reference_sample(champion.bundle), spec.columns, spec.drift)
    changed = sum(
        _judge_until_stable(here, spec, champion, known, chunk, run)
        for chunk in stretches(wanted, most=_CHUNK_DAYS)
    )
    state = drift_state(here.storage, spec, wanted[-1])
    summary = _summary(state) if state and state.day == wanted[-1] else {}
    log.info("drift_judged", detector=detector, days=len(wanted), changed=changed, **summary)
    return {
        "days": len(wanted),
        "changed": changed,
        "date": wanted[-1].isoformat(),
        "version": champion.version.number,
        **summary,
    }


def verdict_of(
    known: Baseline, sample: Sample, spec: DetectorSpec, champion: LoadedVersion
) -> DriftVerdict | None:
    """The verdict on rows; None without rows."""
    if not len(sample.timeline):
        return None
    threshold = champion.bundle.description.threshold
    apart = entity_apart(sample.score > threshold.value, sample.timeline) or ""
    rate = _rate(without(sample, apart) if apart else sample, champion)
    return judge(known, sample, columns=spec.columns, limits=spec.drift, rate=rate, apart=apart)


def _rate(sample: Sample, champion: LoadedVersion) -> RealisedRate | None:
    """The share of flagged rows among those that were scored with every feature."""
    whole = np.isfinite(sample.score)
    if sample.muted is not None:
        whole &= ~sample.muted.any(axis=1)
    threshold = champion.bundle.description.threshold
    return realised_rate(sample.score, whole, sample.timeline, threshold)


def _judge_until_stable(
    here: Deployment,
    spec: DetectorSpec,
    champion: LoadedVersion,
    known: Baseline,
    days: Sequence[date],
    run: str,
) -> int:
    """Judge neighbouring `days` until no other run changes them meanwhile; return days changed."""
    root = here.storage
    reach = timedelta(days=spec.drift.rolling_days)
    for _ in range(_ATTEMPTS):
        now, based_on = datetime.now(UTC), tables.current_version(Table(root, spec.name, "drift"))
        rows = observed_rows(here, spec, champion, days[0] - reach + _ONE_DAY, days[-1] + reach)
        fresh = dict(_verdicts(spec, champion, known, days, rows))
        try:
            changed = replace_verdicts(
                root,
                spec,
                fresh,
                version=champion.version.number,
                based_on=based_on,
                run=run,
            )
        except TableConflict:
            log.info("drift_judged_again", first=str(days[0]), last=str(days[-1]))
        else:
            metrics_hooks.drifted(here, spec, champion, fresh, rows, now=now)
            return changed
    msg = (
        f"{spec.name}: other runs changed the verdicts of {days[0]} to {days[-1]} {_ATTEMPTS} "
        "times; retry, or let fewer runs judge the same days at once."
    )
    raise OutageError(msg)


def _verdicts(
    spec: DetectorSpec,
    champion: LoadedVersion,
    known: Baseline,
    days: Sequence[date],
    rows: ObservedRows | None,
) -> Iterator[tuple[tuple[date, Period], DriftVerdict | None]]:
    """Verdicts of the days, of the day after them, and of every week with one of these."""
    length = spec.drift.rolling_days
    for offset in range(len(days) + length):
        end = days[0] + offset * _ONE_DAY
        start = end - (length - 1) * _ONE_DAY
        present = rows is not None and rows.days_between(end, end) > 0
        if rows is None or not present:
            yield (end, "week"), None
            if offset <= len(days):
                yield (end, "day"), None
            continue
        if offset <= len(days):
            yield (end, "day"), verdict_of(known, rows.between(end, end), spec, champion)
        enough = 2 * rows.days_between(start, end) > length
        of_week = verdict_of(known, rows.between(start, end), spec, champion) if enough else None
        yield (end, "week"), of_week


def _summary(state: DriftState) -> dict[str, Any]:
    periods = {"day": state.of_day, "week": state.of_week}
    return {
        name: {
            "kind": verdict.kind,
            "action": verdict.action,
            "level": verdict.level,
            "reason": verdict.reason,
        }
        for name, verdict in periods.items()
        if verdict is not None
    }
