"""One recalibration: from the window to statuses, weights, a line, and the bounds it crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.threshold import Threshold
from pipeline.config.upkeep import Recalibration
from pipeline.data.label import INCIDENT
from pipeline.data.timeline import Episode, Timeline, episodes
from pipeline.detector.threshold_estimate import ThresholdEstimate
from pipeline.errors import CalibrationError
from pipeline.recalibration.bounds import moves, stale, stops
from pipeline.recalibration.clusters import longest_normal, sustained
from pipeline.recalibration.levels import Levels, levels, months
from pipeline.recalibration.records import (
    STATUSES,
    Anchor,
    Recalibrated,
    Scores,
    WindowRows,
)
from pipeline.recalibration.weighted_threshold import estimate_weighted, highest
from pipeline.recalibration.weights import HELD, Weights, statuses, weights

_ROUNDS = 3  # after which line and held clusters agree: measured, a fourth moves it by < 0.1 %


@dataclass(frozen=True)
class _Told:
    """What each row is, and how much it counts."""

    status: NDArray[np.int8]
    weights: Weights


def recalibrate(
    rows: WindowRows,
    reference_score: NDArray[np.floating],
    reference_line: Timeline | None,
    current: ThresholdEstimate,
    anchor: Anchor,
    config: Recalibration,
    threshold: Threshold,
) -> Recalibrated:
    """The line drawn anew on the rows of the window that count as normal.

    `reference_score` and `reference_line` are the champion's own calibration rows (its bundle's
    reference): how long normal rows stay above the line is measured on them. `current` is the
    line that is live. The window is taken as it is given; its last row says what day it is.

    Assumes that scores grow, when they do, by one factor for all (see `levels`), and that most
    anomalies last longer than clusters of normal rows: those that do not are kept, and raise the
    line, until audits tell what share of flags they are.

    Raises:
        CalibrationError: a score that is not a finite number, too few days or rows, or a
            reference without time.
    """
    _refuse_not_finite(rows.score)
    days = _days(rows.timeline)
    _refuse_few(days, config.minimum_days, rows.timeline)
    longest = _longest(reference_score, reference_line, config, threshold)
    found = levels(
        rows.score,
        rows.timeline,
        ~rows.excluded & (rows.verdict != INCIDENT),
        align=config.align_levels,
    )
    told = _told_apart(rows, rows.score * found.factor, longest, config, threshold)
    drawn = _drawn(rows.score * found.factor, told.weights, found, threshold)
    day = pd.Timestamp(rows.timeline.time_ns.max(), tz="UTC").date()
    moved = moves(drawn, current, anchor, found, day)
    return Recalibrated(
        threshold=drawn,
        anchor=anchor,
        day=day,
        days=days,
        status=told.status,
        weight=told.weights.weight,
        counts={name: int((told.status == place).sum()) for place, name in enumerate(STATUSES)},
        held=_held(rows, told.status, config),
        longest_normal=longest,
        level=found.newest,
        step=moved.step,
        total=moved.total,
        growth=moved.growth,
        stops=stops(moved, drawn, current, anchor, day, config),
        stale=stale(anchor, day, config),
    )


def _told_apart(
    rows: WindowRows, score: Scores, longest: int, config: Recalibration, threshold: Threshold
) -> _Told:
    """Rows told apart with `score` at the level of the newest month.

    Which clusters are held depends on the line, and the line on which are held. The flags in
    force are only the start: a line that has fallen behind makes every cluster long, and holding
    those back would keep it behind.
    """
    month = months(rows.timeline)
    above = rows.score > rows.threshold
    for _ in range(_ROUNDS):
        held = sustained(
            above & ~rows.excluded, rows.timeline, longest=longest, join_rows=config.join_rows
        )
        status = statuses(rows, held)
        counts = weights(rows, status, held, month, join_rows=config.join_rows)
        above = score > highest(score, counts.weight, threshold.alpha)
    return _Told(status, counts)


def _held(rows: WindowRows, status: NDArray[np.int8], config: Recalibration) -> tuple[Episode, ...]:
    found = episodes(status == HELD, rows.timeline, join_rows=config.join_rows)
    return tuple(sorted(found, key=lambda episode: -len(episode.rows)))


def _drawn(
    score: Scores, counts: Weights, found: Levels, threshold: Threshold
) -> ThresholdEstimate:
    """The line, its rows worth what chance leaves of them.

    Neighbours are alike, weights unequal (Kish), and the share of normal flags is a sample's:
    the three errors of the rate at the line are added up and turned back into rows. The normal
    rows that are held back and the anomalies that are not are no chance: they shift the rate by
    up to a twentieth (measured), which the interval of a very large window does not cover.
    """
    kept, total = counts.weight > 0, max(float(counts.weight.sum()), 1.0)
    kish = total**2 / max(float((counts.weight**2).sum()), 1.0)
    binomial = threshold.alpha * (1 - threshold.alpha)
    error = binomial / max(kish * found.worth, 1.0) + counts.variance / total**2
    return estimate_weighted(
        score[kept], counts.weight[kept], threshold, n_effective=binomial / error
    )


def _longest(
    score: NDArray[np.floating],
    timeline: Timeline | None,
    config: Recalibration,
    threshold: Threshold,
) -> int:
    if timeline is None:
        msg = (
            f"the {len(score):,} reference rows of the champion have no time, so it cannot be "
            "measured how long normal rows stay above the line; train with a detector file that "
            "names schema.timestamp."
        )
        raise CalibrationError(msg)
    return longest_normal(score, timeline, alpha=threshold.alpha, join_rows=config.join_rows)


def _refuse_not_finite(score: Scores) -> None:
    bad = int((~np.isfinite(score)).sum())
    if bad:
        msg = (
            f"{bad:,} of {len(score):,} scores of the window are not finite numbers; none may be. "
            "Leave out rows without a score; if a scored row has none, score its day again."
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
    """Distinct UTC days; counted, because sorting half a million times takes longer."""
    day = timeline.time_ns // 86_400_000_000_000
    return int((np.bincount(day - day.min()) > 0).sum()) if len(day) else 0
