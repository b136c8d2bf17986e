"""A synthetic window of scores, and its recalibration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from pipeline.config import Recalibration, Threshold
from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.recalibration import Anchor, KeptScores, Memory, WindowRows, recalibrate

SIGMA = 0.8
THRESHOLD = float(np.exp(norm.ppf(0.99) * SIGMA))
CADENCE_NS = 129_600_000_000  # 20,000 rows in 30 days
START = date(2014, 1, 1)
_START_NS = 16_071 * 86_400_000_000_000


def timeline_of(n, first=0):
    time = _START_NS + (first + np.arange(n)) * CADENCE_NS
    return Timeline(time, np.zeros(n, dtype=np.intp), ("",), CADENCE_NS)


def scores(n, seed=0, rho=0.0):
    noise = np.random.default_rng(seed).standard_normal(n + 500) * np.sqrt(1 - rho**2)
    return np.exp(SIGMA * lfilter([1.0], [1.0, -rho], noise)[500:])


def window(score, threshold=THRESHOLD):
    n = len(score)
    return WindowRows(
        timeline=timeline_of(n),
        score=score,
        threshold=np.full(n, threshold),
        verdict=np.zeros(n, dtype=np.int8),
        excluded=np.zeros(n, dtype=bool),
        audit=np.full(n, np.nan),
    )


def estimate(value=THRESHOLD, interval=(0.95, 1.05)):
    ends = tuple(None if end is None else end * value for end in interval)
    return ThresholdEstimate(
        value,
        "conformal",
        0.01,
        20_000,
        20_000,
        ends,
        (0.009, 0.011),
        low_confidence=False,
        note="",
    )


def recalibrated(
    rows, *, current=None, anchor=None, reference=None, limits=None, threshold=None, **how
):
    reference = scores(5000, seed=99) if reference is None else reference
    kept = KeptScores(reference, timeline_of(len(reference)))
    return recalibrate(
        rows,
        Memory(kept, kept),
        current or estimate(),
        anchor or Anchor(THRESHOLD, 1.0, START, moved=START),
        limits or Recalibration(),
        threshold or Threshold(),
        **how,
    )


def changed(rows, **fields):
    return replace(rows, **fields)
