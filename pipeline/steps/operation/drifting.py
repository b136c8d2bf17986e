"""Task `drift` of the score DAG: a verdict for each day, and for the rolling week that it ends.

What is stored for a day follows from the rows up to that day, their scores by the live version and
the labels made by then, never from the order in which days are judged: the tests keep no memory,
and whoever brings a day judges every week again that holds it. A week is judged once there are
rows on its last day and on more than half of its days; until then, and where days stay away for
good, it has no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import structlog

from pipeline import settings, tables
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day, stretches
from pipeline.drift import Baseline, DriftVerdict, Sample, baseline, judge
from pipeline.drift.evidence import entity_apart, without
from pipeline.drift.samples import reference_sample
from pipeline.errors import OutageError, TableConflict
from pipeline.evaluation.rate import RealisedRate, realised_rate
from pipeline.incidents.judging import fitted_columns
from pipeline.steps import live, metrics_hooks
from pipeline.steps.candidate import detector_named
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.steps.operation.drift_evidence import Seen, seen
from pipeline.steps.operation.drift_table import (
    DriftState,
    Period,
    replace_verdicts,
    standing_verdict,
)
from pipeline.tables import Table

_CHUNK_DAYS = 92  # bounds memory
_ATTEMPTS = 5
_ONE_DAY = timedelta(days=1)

log = structlog.get_logger()


def judge_days(detector: str, days: list[str], *, run: str) -> dict[str, Any]:
    """Judge `days`, and what else rests on them; how the newest of them stands then.

    A day's rows may change the scores of the next day (muting looks back), so that one is judged
    again too, if it is there.

    Raises:
        DataError: the live version needs rows of another meaning than the detector file says.
        OutageError: other runs kept changing the same days, or a store did not answer.
    """
    spec, here = detector_named(detector), settings.load()
    judging = live.champion_or_none(detector)
    if judging is None:
        return {"skipped": f"{detector} has no champion yet; run its train DAG."}
    refuse_unfit(judging, spec)
    spec = spec.model_copy(update={"columns": fitted_columns(judging.bundle)})
    wanted = sorted(set(map(as_day, days)))
    known = baseline(reference_sample(judging.bundle), spec.columns, spec.drift)
    changed = sum(
        _settle(spec, judging, known, chunk, run) for chunk in stretches(wanted, most=_CHUNK_DAYS)
    )
    standing = standing_verdict(here.storage, spec, wanted[-1])
    told = _told(standing) if standing and standing.day == wanted[-1] else {}
    log.info("drift_judged", detector=detector, days=len(wanted), changed=changed, **told)
    return {
        "days": len(wanted),
        "changed": changed,
        "date": wanted[-1].isoformat(),
        "version": judging.version.number,
        **told,
    }


def verdict_of(
    known: Baseline, sample: Sample, spec: DetectorSpec, judging: LoadedVersion
) -> DriftVerdict | None:
    """The verdict on rows that may be evidence; None when there are none."""
    if not len(sample.timeline):
        return None
    threshold = judging.bundle.description.threshold
    apart = entity_apart(sample.score > threshold.value, sample.timeline) or ""
    rate = _rate(without(sample, apart) if apart else sample, judging)
    return judge(known, sample, columns=spec.columns, limits=spec.drift, rate=rate, apart=apart)


def _rate(sample: Sample, judging: LoadedVersion) -> RealisedRate | None:
    """How often rows cross the line that were scored with every feature."""
    whole = np.isfinite(sample.score)
    if sample.muted is not None:
        whole &= ~sample.muted.any(axis=1)
    threshold = judging.bundle.description.threshold
    return realised_rate(sample.score, whole, sample.timeline, threshold)


def _settle(
    spec: DetectorSpec, judging: LoadedVersion, known: Baseline, days: Sequence[date], run: str
) -> int:
    """Judge neighbouring `days` until no other run has changed them meanwhile; days changed."""
    root = settings.load().storage
    reach = timedelta(days=spec.drift.rolling_days)
    for _ in range(_ATTEMPTS):
        now, based_on = datetime.now(UTC), tables.current_version(Table(root, spec.name, "drift"))
        rows = seen(spec, judging, days[0] - reach + _ONE_DAY, days[-1] + reach)
        fresh = dict(_verdicts(spec, judging, known, days, rows))
        try:
            changed = replace_verdicts(
                root,
                spec,
                fresh,
                version=judging.version.number,
                based_on=based_on,
                run=run,
            )
        except TableConflict:
            log.info("drift_judged_again", first=str(days[0]), last=str(days[-1]))
        else:
            metrics_hooks.drifted(spec, judging, fresh, rows, now=now)
            return changed
    msg = (
        f"{spec.name}: other runs changed the verdicts of {days[0]} to {days[-1]} {_ATTEMPTS} "
        "times; retry, or let fewer runs judge the same days at once."
    )
    raise OutageError(msg)


def _verdicts(
    spec: DetectorSpec,
    judging: LoadedVersion,
    known: Baseline,
    days: Sequence[date],
    rows: Seen | None,
) -> Iterator[tuple[tuple[date, Period], DriftVerdict | None]]:
    """Of the days, of the day behind them, and of every week that holds one of these."""
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
            yield (end, "day"), verdict_of(known, rows.between(end, end), spec, judging)
        enough = 2 * rows.days_between(start, end) > length
        of_week = verdict_of(known, rows.between(start, end), spec, judging) if enough else None
        yield (end, "week"), of_week


def _told(standing: DriftState) -> dict[str, Any]:
    periods = {"day": standing.of_day, "week": standing.of_week}
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
