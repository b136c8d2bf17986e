"""One recalibration: the statuses and weights of the window, the threshold, and crossed bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.calibration import Threshold
from pipeline.config.upkeep import Recalibration
from pipeline.data.clusters import longest_normal, sustained
from pipeline.data.effective_rows import effective_rows
from pipeline.data.grid import day_number
from pipeline.data.label import INCIDENT
from pipeline.data.timeline import Episode, Timeline, episodes
from pipeline.detector.thresholds.coverage import least_rows
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import CalibrationError
from pipeline.recalibration.bounds import moves, raised, stale, stops
from pipeline.recalibration.degradation import Degradation, degradation, frozen_levels
from pipeline.recalibration.density import NormalDensity, dense, normal_density
from pipeline.recalibration.levels import Levels, levels, months
from pipeline.recalibration.records import (
    STATUSES,
    Anchor,
    KeptScores,
    Memory,
    Recalibrated,
    Scores,
    WindowRows,
)
from pipeline.recalibration.weighted_threshold import estimate_weighted, threshold_value
from pipeline.recalibration.weights import (
    HELD,
    Weights,
    statuses,
    weights,
)
from pipeline.utc_day import DAY_NS

_ROUNDS = 3  # until threshold and held clusters agree: measured, a fourth moves it by < 0.1 %


@dataclass(frozen=True)
class _Classified:
    """The status and the weight of each row, and whether it is of a sustained episode."""

    sustained: NDArray[np.bool_]
    status: NDArray[np.int8]
    weights: Weights


def recalibrate(
    rows: WindowRows,
    memory: Memory,
    current: ThresholdEstimate,
    anchor: Anchor,
    config: Recalibration,
    threshold: Threshold,
    *,
    growth_accepted: bool = False,
) -> Recalibrated:
    """Recalibrate the threshold on the rows of the window that count as normal.

    How long and how dense normal rows lie above the threshold is measured on the rows of the
    training in `memory`; whether scores have grown since, on those of the accepted state.
    `current` is the live threshold. All rows of the window are used; its last row defines the day.
    With `growth_accepted` a person has called the growth so far normal, and it is not asked about;
    only a large step of the threshold still is.

    Assumes that scores grow, when they do, by one factor for all (see `levels`), and that most
    anomalies last longer than clusters of normal rows: those that do not are kept, and raise the
    threshold, until audits show their share of the flags.

    Raises:
        CalibrationError: a score that is not a finite number, too few days or rows, or a
            reference without time.
    """
    _refuse_not_finite(rows.score)
    days = _days(rows.timeline)
    _refuse_few(days, config.minimum_days, rows.timeline)
    trained, accepted = _timed(memory.trained), _timed(memory.accepted)
    longest = longest_normal(
        memory.trained.score, trained, alpha=threshold.alpha, join_rows=config.join_rows
    )
    found = levels(
        rows.score,
        rows.timeline,
        ~rows.excluded & (rows.verdict != INCIDENT),
        align=config.align_levels,
    )
    score = rows.score * found.factor
    usual = normal_density(memory.trained.score, trained, alpha=threshold.alpha)
    classified = _classified(rows, score, longest, usual, config, threshold)
    estimate = _estimated(score, classified.weights, found, threshold)
    day = pd.Timestamp(rows.timeline.time_ns.max(), tz="UTC").date()
    moved = moves(estimate, current, anchor, found, day)
    grown = None
    if not growth_accepted:
        grown = _degradation(rows, memory.accepted.score, accepted, anchor)
    # A provisional threshold was never known well enough to say that it has risen.
    known = effective_rows(memory.accepted.score, accepted)
    tells = not growth_accepted and known >= least_rows(threshold.alpha)
    rising = grown if estimate.value > current.value else None
    return Recalibrated(
        threshold=estimate,
        anchor=anchor,
        day=day,
        days=days,
        status=classified.status,
        weight=classified.weights.weight,
        counts={
            name: int((classified.status == place).sum()) for place, name in enumerate(STATUSES)
        },
        held=_held(rows, classified, config),
        longest_normal=longest,
        level=found.newest,
        step=moved.step,
        total=moved.total,
        growth=moved.growth,
        degradation=grown,
        raised=raised(moved, anchor) if tells else "",
        stops=stops(
            moved,
            estimate,
            current,
            anchor,
            day,
            config,
            rising,
            growth_accepted=growth_accepted,
        ),
        stale=stale(anchor, day, config),
    )


def _classified(
    rows: WindowRows,
    score: Scores,
    longest: int,
    usual: NormalDensity,
    config: Recalibration,
    threshold: Threshold,
) -> _Classified:
    """Status and weight of rows whose `score` is at the level of the newest month.

    The held clusters depend on the threshold, and the threshold on the held clusters. The present
    flags are only the start: a threshold that has fallen behind makes every cluster long, and
    holding those back would keep it behind.
    """
    month = months(rows.timeline)
    above = rows.score > rows.threshold
    for _ in range(_ROUNDS):
        flagged = above & ~rows.excluded
        long = sustained(flagged, rows.timeline, longest=longest, join_rows=config.join_rows)
        held = long | dense(flagged, long, rows.timeline, usual)
        status = statuses(rows, held)
        counts = weights(rows, status, held, month, join_rows=config.join_rows)
        above = score > threshold_value(score, counts.weight, threshold.alpha)
    return _Classified(long, status, counts)


def _held(rows: WindowRows, classified: _Classified, config: Recalibration) -> tuple[Episode, ...]:
    """Sustained episodes, longest first; then what dense days have beside them, likewise."""
    held = classified.status == HELD
    found = []
    for part in (held & classified.sustained, held & ~classified.sustained):
        each = episodes(part, rows.timeline, join_rows=config.join_rows)
        found += sorted(each, key=lambda episode: -len(episode.rows))
    return tuple(found)


def _estimated(
    score: Scores, counts: Weights, found: Levels, threshold: Threshold
) -> ThresholdEstimate:
    """The threshold, with the effective rows that its three sources of error leave.

    Neighbours are alike, weights are unequal (Kish), and the share of normal flags is estimated
    from a sample: the three errors of the rate are added up and converted to effective rows. Normal
    rows that are held back and anomalies that are not are a bias, not chance: they shift the rate
    by up to a twentieth (measured), which the interval of a very large window does not cover.
    """
    kept, total = counts.weight > 0, max(float(counts.weight.sum()), 1.0)
    kish = total**2 / max(float((counts.weight**2).sum()), 1.0)
    binomial = threshold.alpha * (1 - threshold.alpha)
    error = binomial / max(kish * found.effective_share, 1.0) + counts.variance / total**2
    return estimate_weighted(
        score[kept], counts.weight[kept], threshold, n_effective=binomial / error
    )


def _degradation(
    rows: WindowRows, score: Scores, timeline: Timeline, anchor: Anchor
) -> Degradation | None:
    """Growth since the accepted state, on all rows since: held ones may be what has grown."""
    since = rows.timeline.time_ns // DAY_NS > day_number(anchor.day)
    counted = since & ~rows.excluded & (rows.verdict != INCIDENT)
    return degradation(rows.score, counted, rows.timeline, frozen_levels(score, timeline))


def _timed(kept: KeptScores) -> Timeline:
    if kept.timeline is None:
        msg = (
            f"the {len(kept.score):,} reference rows of the champion have no time, so it cannot be "
            "measured how long normal rows stay above the threshold; train with a detector file "
            "that names schema.timestamp."
        )
        raise CalibrationError(msg)
    return kept.timeline


def _refuse_not_finite(score: Scores) -> None:
    bad = int((~np.isfinite(score)).sum())
    if bad:
        msg = (
            f"{bad:,} of {len(score):,} scores of the window are not finite numbers. "
            "Leave out rows without a score; if a scored row has no score, score its day again."
        )
        raise CalibrationError(msg)


def _refuse_few(days: int, least: int, timeline: Timeline) -> None:
    if days < least:
        msg = (
            f"the window holds {len(timeline):,} scored rows of {days} days; at least {least} days "
            "are needed (recalibration.minimum_days). Score more days, or widen "
            "recalibration.window_days."
        )
        raise CalibrationError(msg)


def _days(timeline: Timeline) -> int:
    """Number of UTC days; by counting, because sorting half a million times takes longer."""
    day = timeline.time_ns // DAY_NS
    return int((np.bincount(day - day.min()) > 0).sum()) if len(day) else 0
