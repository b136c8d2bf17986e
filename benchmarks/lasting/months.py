"""Three years of scores of one machine, month by month, with faults that last.

Log-normal scores (sigma 0.8) of ten-minute rows; months of 30 days; the month before is the
calibration. Everything follows from a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.lasting.intervals import ALPHA, waves
from pipeline.data.timeline import Timeline
from pipeline.utc_day import DAY_NS

SIGMA = 0.8
ROWS = 4320
A_DAY = 144
MONTHS = 36
_START_NS = 16_071 * DAY_NS  # 2014-01-01; the calibration month lies before it
_CADENCE_NS = 600_000_000_000

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SlowFault:
    """A fault that grows and stays.

    Attributes:
        start: month in which it begins.
        ramp: months until it has its full size.
        factor: of the score, at full size.
        share: of the rows that it meets.
    """

    start: int
    ramp: int
    factor: float
    share: float = 1.0


@dataclass(frozen=True)
class Course:
    """The settings of the months.

    Attributes:
        name: what they are.
        rho: correlation of a row and the next, of the logarithms.
        growth: factor of all scores from month to month.
        season: amplitude of a yearly wave of the log-level.
        jump: month and factor of a step of all scores that stays; None: none.
        anomalies: share of the rows in anomalous episodes.
        lengths: rows of an episode, shortest and longest.
        factors: of the scores of anomalous rows, least and greatest; sampled for each row.
        fault: a slow fault, or None.
        months: how many.
    """

    name: str
    rho: float = 0.9
    growth: float = 1.0
    season: float = 0.0
    jump: tuple[int, float] | None = None
    anomalies: float = 0.005
    lengths: tuple[int, int] = (10, 60)
    factors: tuple[float, float] = (2.0, 6.0)
    fault: SlowFault | None = None
    months: int = MONTHS


@dataclass(frozen=True)
class CourseOfScores:
    """CourseOfScores of the calibration month and of all months after it.

    Attributes:
        score: shape (n,), the first ROWS of them calibration.
        level: log-level of normal rows, shape (n,).
        anomalous: rows of episodes, shape (n,).
        faulty: rows that the slow fault meets, shape (n,).
        timeline: times of the rows.
    """

    score: Vector
    level: Vector
    anomalous: Mask
    faulty: Mask
    timeline: Timeline

    def month(self, number: int) -> slice:
        """The rows of a month, from 0; the calibration is month -1."""
        return slice((number + 1) * ROWS, (number + 2) * ROWS)

    def true_rate(self, value: float, rows: slice) -> float:
        """Share of normal rows like these that lie above `value`."""
        return float(norm.sf((np.log(value) - self.level[rows]) / SIGMA).mean())


def made(setting: Course, seed: int) -> CourseOfScores:
    """The scores of a setting and a seed; two settings share the noise of a seed."""
    random = np.random.default_rng(seed)
    n = (setting.months + 1) * ROWS
    month = np.arange(n) / ROWS - 1
    noise = SIGMA * waves(random, setting.rho, n)
    anomalous, factor = _episodes(setting, np.random.default_rng([seed, 1]), n)
    faulty, fault = _fault(setting, np.random.default_rng([seed, 2]), month)
    level = _level(setting, month)
    return CourseOfScores(
        score=np.exp(level + noise) * factor * fault,
        level=level,
        anomalous=anomalous,
        faulty=faulty & ~anomalous,
        timeline=Timeline(
            _START_NS + (np.arange(n) - ROWS) * _CADENCE_NS,
            np.zeros(n, dtype=np.intp),
            ("",),
            _CADENCE_NS,
        ),
    )


def _level(setting: Course, month: Vector) -> Vector:
    level = np.log(setting.growth) * np.maximum(month, 0)
    level += setting.season * np.sin(2 * np.pi * month / 12)
    if setting.jump is not None:
        level += np.where(month >= setting.jump[0], np.log(setting.jump[1]), 0.0)
    return np.asarray(level)


def _episodes(setting: Course, random: np.random.Generator, n: int) -> tuple[Mask, Vector]:
    anomalous, factor = np.zeros(n, dtype=bool), np.ones(n)
    while anomalous.sum() < setting.anomalies * (n - ROWS):
        length = int(random.integers(setting.lengths[0], setting.lengths[1] + 1))
        start = int(random.integers(ROWS, n - length))
        anomalous[start : start + length] = True
        factor[start : start + length] = random.uniform(*setting.factors, length)
    return anomalous, factor


def _fault(setting: Course, random: np.random.Generator, month: Vector) -> tuple[Mask, Vector]:
    fault = setting.fault
    if fault is None:
        return np.zeros(len(month), dtype=bool), np.ones(len(month))
    grown = np.clip((month - fault.start) / fault.ramp, 0, 1)
    met = (random.random(len(month)) < fault.share) & (month >= fault.start)
    return met, np.where(met, np.asarray(fault.factor) ** grown, 1.0)


__all__ = ["ALPHA", "A_DAY", "MONTHS", "ROWS", "Course", "CourseOfScores", "SlowFault", "made"]
