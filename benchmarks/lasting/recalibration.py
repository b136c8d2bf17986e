"""What three years of monthly recalibration do to the false-positive rate and to faults.

Rates are those of the months that a threshold serves, not of those that it was estimated from.
Every question is accepted three days later, by a reviewer who looks at nothing; nobody labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from benchmarks.lasting.months import A_DAY, ROWS, Course, CourseOfScores, Vector, made
from benchmarks.operation.rows import Row
from pipeline.config import Recalibration, Threshold
from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Timeline, subset
from pipeline.detector.calibration.calibrate import estimate_threshold
from pipeline.detector.calibration.kept_rows import sample_reference
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.recalibration import (
    Anchor,
    KeptScores,
    Memory,
    WindowRows,
    accepted_anchor,
    recalibrate,
    unforced_anchor,
)

SEEDS = tuple(range(100, 110))
"""Rules were chosen on seeds below 100."""

_ANSWERED_AFTER = 3 * A_DAY
_THIRD_YEAR = 24


@dataclass(frozen=True)
class Asked:
    """A setting and the numbers that are asked of it.

    Attributes:
        setting: the months.
        rate: least and greatest mean rate served in the third year; after a jump from the second
            month on.
        caught: least share of anomalous rows above the threshold.
    """

    setting: Course
    rate: tuple[float, float]
    caught: float = 0.0


@dataclass(frozen=True)
class Served:
    """The months of one seed.

    Attributes:
        rate: true false-positive rate of the threshold that served each month.
        caught: share of the anomalous rows above it, over all months; NaN without any.
        threshold: the threshold after each month.
        stops: bounds that the recalibration after each month crossed.
        told: whether it told a person something: a stop, or a raise beyond chance.
    """

    rate: tuple[float, ...]
    caught: float
    threshold: tuple[float, ...]
    stops: tuple[tuple[str, ...], ...]
    told: tuple[bool, ...]


LONG_WEAK = Course("10 % long weak outages", anomalies=0.1, lengths=(144, 720))


def settings() -> tuple[Asked, ...]:
    """The settings of the report."""
    usual = (0.0075, 0.015)
    return (
        Asked(Course("rho 0", rho=0.0), usual),
        Asked(Course("rho 0.9"), usual),
        Asked(Course("rho 0.97", rho=0.97), usual),
        Asked(Course("growth 3 % a month", growth=1.03), usual),
        Asked(Course("growth 10 % a month", growth=1.10), (0.0, 0.018)),
        Asked(Course("3 % anomalies", anomalies=0.03), usual),
        Asked(LONG_WEAK, (0.006, 1.0), caught=0.24),
        Asked(Course("jump x 1.5", jump=(12, 1.5), months=24), (0.0, 0.018)),
    )


def lived(setting: Course, seed: int) -> Served:
    """Live through the months of a seed."""
    scores = made(setting, seed)
    current, anchor, kept = _first(scores)
    memory = Memory(kept, kept)
    threshold = np.full(len(scores.score), np.nan)
    serving, rates, results = current.value, [], []
    for month in range(setting.months):
        here = scores.month(month)
        late = slice(here.start, here.start + _ANSWERED_AFTER)
        threshold[here] = current.value
        threshold[late] = serving
        rates.append(
            (
                scores.true_rate(serving, late) * _ANSWERED_AFTER
                + scores.true_rate(current.value, slice(late.stop, here.stop))
                * (ROWS - _ANSWERED_AFTER)
            )
            / ROWS
        )
        window = _window(scores, threshold, here.stop)
        result = recalibrate(window, memory, current, anchor, Recalibration(), Threshold())
        results.append(result)
        # What stopped goes live three days late; the rest at once.
        serving = current.value if result.stops else result.threshold.value
        current = result.threshold
        if result.stops:
            anchor = accepted_anchor(result)
            used = result.weight > 0
            memory = Memory(kept, kept_scores(window.score[used], subset(window.timeline, used)))
        else:
            anchor = unforced_anchor(result)
    rows = scores.anomalous & np.isfinite(threshold)
    caught = float((scores.score > threshold)[rows].mean()) if rows.any() else float("nan")
    return Served(
        rate=tuple(rates),
        caught=caught,
        threshold=tuple(result.threshold.value for result in results),
        stops=tuple(tuple(stop.name for stop in result.stops) for result in results),
        told=tuple(bool(result.stops or result.raised) for result in results),
    )


def row(asked: Asked, served: Sequence[Served]) -> Row:
    """One row of the report: means over the seeds, and the least and greatest seed."""
    setting, (low, high) = asked.setting, asked.rate
    since = setting.jump[0] + 1 if setting.jump else _THIRD_YEAR
    rates = [float(np.mean(each.rate[since:])) for each in served]
    rate, caught = float(np.mean(rates)), float(np.mean([each.caught for each in served]))
    questions = float(np.mean([sum(map(bool, each.stops)) for each in served]))
    worst = max(np.mean([each.rate[since:] for each in served], axis=0)) if setting.jump else rate
    return Row(
        setting.name,
        f"{low:.2%} to {high:.2%}" + (f", caught >= {asked.caught:.0%}" if asked.caught else ""),
        f"{rate:.2%} ({min(rates):.2%}-{max(rates):.2%}), caught {caught:.1%}",
        low <= rate and worst <= high and caught >= asked.caught,
        f"{questions / setting.months * 12:.2f} questions a year",
    )


def _first(scores: CourseOfScores) -> tuple[ThresholdEstimate, Anchor, KeptScores]:
    rows = np.arange(ROWS)
    timeline, score = subset(scores.timeline, rows), scores.score[:ROWS]
    estimate = estimate_threshold(
        score, Threshold(), n_effective=effective_rows(np.log(score), timeline)
    )
    day = date.fromordinal(719_163 + int(timeline.time_ns[-1] // (86_400 * 10**9)))
    anchor = Anchor(estimate.value, float(np.median(score)), day, moved=day)
    return estimate, anchor, kept_scores(score, timeline)


def kept_scores(score: Vector, timeline: Timeline) -> KeptScores:
    """What a bundle keeps of the rows that a threshold was estimated from."""
    features = np.zeros((len(score), 1), dtype=np.float32)
    reference = sample_reference(features, score.astype(np.float32), timeline)
    return KeptScores(reference.score.astype(np.float64), reference.timeline)


def _window(scores: CourseOfScores, threshold: Vector, end: int) -> WindowRows:
    rows = np.arange(max(ROWS, end - 12 * ROWS), end)
    return WindowRows(
        timeline=subset(scores.timeline, rows),
        score=scores.score[rows],
        threshold=threshold[rows],
        verdict=np.zeros(len(rows), dtype=np.int8),
        excluded=np.zeros(len(rows), dtype=bool),
        audit=np.full(len(rows), np.nan),
    )
