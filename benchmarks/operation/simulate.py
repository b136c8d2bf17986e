"""A simulated year of scores: heavy tail, autocorrelation, growth, seasons, anomalies, poison.

Log-normal scores with sigma 0.8; months of 30 days. Everything follows from a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.stats import norm

from pipeline.data.timeline import Timeline
from pipeline.detector.calibration.kept_rows import Reference, sample_reference
from pipeline.utc_day import DAY_NS

SIGMA = 0.8
MONTHS = 12
ALPHA = 0.01
_START_NS = 16_071 * DAY_NS  # 2014-01-01; the calibration month lies before it
_BURN_IN = 500
_FACTORS = (3.0, 10.0)  # of the score of an anomalous row


@dataclass(frozen=True)
class Setting:
    """The settings of a year.

    Attributes:
        rho: correlation of a row and the next, of the logarithms.
        growth: factor of all scores from month to month; the first month has grown once.
        smooth: the growth is spread over the days of a month.
        rows: in a month.
        anomalies: share of the rows.
        lengths: rows of an anomalous episode, shortest and longest.
        year: amplitude of a yearly wave of the log-level; daily: of a daily one.
        poison: share of isolated rows just above the live threshold.
        audit: share of flagged clusters that are labelled as they are.
        gullible: a person labels every flag normal.
    """

    rho: float = 0.0
    growth: float = 1.0
    smooth: bool = False
    rows: int = 20_000
    anomalies: float = 0.005
    lengths: tuple[int, int] = (10, 60)
    year: float = 0.0
    daily: float = 0.0
    poison: float = 0.0
    audit: float = 0.0
    gullible: bool = False


@dataclass(frozen=True)
class Year:
    """Twelve months of scores; poison is added month by month, just above the threshold.

    Attributes:
        score: shape (12 n,). level: the true median of normal rows. anomalous: the truth.
        timeline: times and entities.
        reference: 5,000 rows of the calibration month before, as a bundle keeps them.
        start: the true (1 - alpha) quantile before any growth.
    """

    score: NDArray[np.float64]
    level: NDArray[np.float64]
    anomalous: NDArray[np.bool_]
    timeline: Timeline
    reference: Reference
    start: float


def made(setting: Setting, rng: np.random.Generator) -> Year:
    """A year and the calibration month before it."""
    n = setting.rows
    timeline = _timeline(setting, 0, MONTHS * n)
    level = np.exp(_log_level(setting))
    anomalous, factor = _anomalies(setting, rng)
    before = _timeline(setting, -n, n)
    usual = np.exp(_season(setting, -n, n))
    calibration = usual * np.exp(SIGMA * _waves(rng, n, setting.rho))
    return Year(
        score=level * factor * np.exp(SIGMA * _waves(rng, MONTHS * n, setting.rho)),
        level=level,
        anomalous=anomalous,
        timeline=timeline,
        reference=sample_reference(
            np.zeros((n, 1), dtype=np.float32), calibration.astype(np.float32), before
        ),
        start=_quantile(usual),
    )


def true_rate(value: float, level: NDArray[np.float64]) -> float:
    """Share of normal rows with these medians that lie above `value`."""
    return float(norm.sf(np.log(value / level) / SIGMA).mean())


def _quantile(level: NDArray[np.float64]) -> float:
    guess = float(norm.ppf(1 - ALPHA)) * SIGMA
    found = brentq(lambda log: true_rate(np.exp(log), level) - ALPHA, guess - 2, guess + 2)
    return float(np.exp(found))


def _timeline(setting: Setting, first: int, n: int) -> Timeline:
    cadence = 30 * DAY_NS // setting.rows
    time = _START_NS + (first + np.arange(n)) * cadence
    return Timeline(time, np.zeros(n, dtype=np.intp), ("",), cadence)


def _log_level(setting: Setting) -> NDArray[np.float64]:
    row = np.arange(MONTHS * setting.rows)
    months = (row + 1) / setting.rows if setting.smooth else row // setting.rows + 1
    level: NDArray[np.float64] = months * np.log(setting.growth) + _season(setting, 0, len(row))
    return level


def _season(setting: Setting, first: int, n: int) -> NDArray[np.float64]:
    month = (first + np.arange(n)) / setting.rows
    yearly = setting.year * np.sin(2 * np.pi * month / MONTHS)
    return np.asarray(yearly + setting.daily * np.sin(2 * np.pi * month * 30))


def _waves(rng: np.random.Generator, n: int, rho: float) -> NDArray[np.float64]:
    """AR(1) with variance 1."""
    noise = rng.standard_normal(n + _BURN_IN) * np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise)[_BURN_IN:])


def _anomalies(
    setting: Setting, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    n = MONTHS * setting.rows
    anomalous, factor = np.zeros(n, dtype=bool), np.ones(n)
    while anomalous.sum() < setting.anomalies * n:
        length = int(rng.integers(setting.lengths[0], setting.lengths[1] + 1))
        start = int(rng.integers(0, n - length))
        anomalous[start : start + length] = True
        factor[start : start + length] = rng.uniform(*_FACTORS, size=length)
    return anomalous, factor
