"""A simulated year, month by month: flags, audits, labels, a recalibration, an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.operation.simulate import ALPHA, MONTHS, Setting, Year, made, true_rate
from pipeline.config import Recalibration, Threshold
from pipeline.data.label import INCIDENT, NORMAL
from pipeline.data.timeline import subset
from pipeline.detector.thresholds.coverage import rate_interval
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.recalibration import (
    Anchor,
    KeptScores,
    Memory,
    Recalibrated,
    WindowRows,
    accepted_anchor,
    recalibrate,
    unforced_anchor,
)
from pipeline.recalibration.weights import cluster_numbers

_JUST_ABOVE = (1.01, 1.05)  # times the live threshold: where poison lies
_SURE = 0.05  # relative half-width of the interval of the first threshold

Policy = Callable[[NDArray[np.float64], float], float]


@dataclass(frozen=True)
class Lived:
    """The results of a year, month by month.

    Attributes:
        rate: true false-positive rate of the threshold that is live after each recalibration.
        threshold: that threshold over the first one.
        stopped: bounds that each recalibration crossed.
        covered: whether the 95 % interval of the rate held the true one.
    """

    rate: NDArray[np.float64]
    threshold: NDArray[np.float64]
    stopped: tuple[tuple[str, ...], ...]
    covered: NDArray[np.bool_]


@dataclass
class _KnownRows:
    """The scores, thresholds, verdicts and audits of all rows so far."""

    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    verdict: NDArray[np.int8]
    audit: NDArray[np.float64]


def live(
    setting: Setting, seed: int, config: Recalibration, *, answer: bool = True, months: int = MONTHS
) -> Lived:
    """Recalibrate each month; where it stops and asks, accept (`answer`) or leave it unanswered."""
    rng = np.random.default_rng(seed)
    year = made(setting, rng)
    known = _blank(year)
    current, anchor = _first(year)
    rates, thresholds, stopped, covered = [], [], [], []
    for month in range(months):
        here = slice(month * setting.rows, (month + 1) * setting.rows)
        _score(known, year, here, current.value, setting, rng)
        result = _recalibrated(known, year, here.stop, setting, config, current, anchor)
        if not result.stops or answer:
            anchor = accepted_anchor(result) if result.stops else unforced_anchor(result)
            current = result.threshold
        rates.append(true_rate(current.value, year.level[here]))
        thresholds.append(current.value / year.start)
        stopped.append(tuple(stop.name for stop in result.stops))
        low, high = result.threshold.rate_interval
        covered.append(low <= true_rate(result.threshold.value, year.level[here]) <= high)
    return Lived(np.array(rates), np.array(thresholds), tuple(stopped), np.array(covered))


def live_by(policy: Policy, setting: Setting, seed: int) -> float:
    """True rate after twelve months of an opponent, given each month's scores and threshold."""
    year = made(setting, np.random.default_rng(seed))
    value = year.start
    for month in range(MONTHS):
        here = slice(month * setting.rows, (month + 1) * setting.rows)
        value = policy(year.score[here], value)
    return true_rate(value, year.level[here])


def _blank(year: Year) -> _KnownRows:
    n = len(year.score)
    return _KnownRows(
        year.score.copy(), np.full(n, np.nan), np.zeros(n, dtype=np.int8), np.full(n, np.nan)
    )


def _first(year: Year) -> tuple[ThresholdEstimate, Anchor]:
    """The true threshold and the true level, as if estimated on the month before."""
    n = len(year.score) // MONTHS
    threshold = year.start
    estimate = ThresholdEstimate(
        value=threshold,
        method="conformal",
        alpha=ALPHA,
        n=n,
        n_effective=n,
        interval=(threshold * (1 - _SURE), threshold * (1 + _SURE)),
        rate_interval=rate_interval(ALPHA, n),
        low_confidence=False,
        note="",
    )
    first = np.datetime64(int(year.timeline.time_ns[0]), "ns").astype("datetime64[D]").item()
    day = first - timedelta(days=1)
    return estimate, Anchor(threshold, 1.0, day, moved=day)


def _score(
    known: _KnownRows,
    year: Year,
    here: slice,
    threshold: float,
    setting: Setting,
    rng: np.random.Generator,
) -> None:
    """A month under its threshold: poison, flags, and people's labels."""
    known.threshold[here] = threshold
    bad = year.anomalous[here].copy()
    if setting.poison:
        size = round(setting.poison * setting.rows)
        rows = rng.choice(setting.rows // 2, size=size, replace=False) * 2  # never neighbours
        known.score[here.start + rows] = threshold * rng.uniform(*_JUST_ABOVE, size=size)
        bad[rows] = True
    if not (setting.audit or setting.gullible):
        return
    flagged = known.score[here] > threshold
    cluster = cluster_numbers(
        flagged, subset(year.timeline, np.arange(here.start, here.stop)), join_rows=4
    )
    sampled = rng.random(cluster.max() + 1) < (setting.audit or 0.2)
    rows = np.flatnonzero(flagged)
    judged = rows[sampled[cluster[rows]]]
    known.audit[here.start + judged] = setting.audit or 0.2
    if setting.gullible:
        known.verdict[here.start + rows] = NORMAL
    else:
        known.verdict[here.start + judged] = np.where(bad[judged], INCIDENT, NORMAL)


def _recalibrated(
    known: _KnownRows,
    year: Year,
    end: int,
    setting: Setting,
    config: Recalibration,
    current: ThresholdEstimate,
    anchor: Anchor,
) -> Recalibrated:
    first = max(0, end - round(config.window_days * setting.rows / 30))
    rows = WindowRows(
        timeline=subset(year.timeline, np.arange(first, end)),
        score=known.score[first:end],
        threshold=known.threshold[first:end],
        verdict=known.verdict[first:end],
        excluded=np.zeros(end - first, dtype=bool),
        audit=known.audit[first:end],
    )
    kept = KeptScores(year.reference.score.astype(np.float64), year.reference.timeline)
    return recalibrate(rows, Memory(kept, kept), current, anchor, config, Threshold())
