"""The verdicts of the drift rule when nothing, something or too little has happened.

Design of a trial: a reference of n normal rows and a window of n later rows of one machine, twenty
features and the logarithm of the score, each an AR(1) wave of its own with standard deviation 1;
one verdict with the shipped limits. A trial counts as a warning when any of the 21 series warns or
alarms: the rule corrects over the family, so the family is what may err in 2 % of trials. The score
of a series alone is reported beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from benchmarks.operation.rows import Row
from pipeline.config import Columns, Drift, Feature
from pipeline.data.timeline import Timeline
from pipeline.drift import DriftVerdict, Sample, judge_drift

_PART = "drift"
_CADENCE_NS = 600_000_000_000
_NAMES = tuple(f"f{place}" for place in range(20))
_COLUMNS = Columns(cadence="10min", features={name: Feature(unit="1") for name in _NAMES})
_LIMITS = Drift()
_MOST_FALSE = 0.02


def measure() -> list[Row]:
    """The four required numbers, and cases between them. About a minute."""
    return [
        *_false_warnings(),
        *_half_a_sigma(),
        _too_little(),
        *_unit_changes(),
        _two_in_a_row(),
    ]


def _false_warnings() -> Iterator[Row]:
    for n, trials in ((1000, 200), (5000, 200)):
        found = [
            _verdict(_made(n, 0.9, seed), _made(n, 0.9, seed, later=1)) for seed in range(trials)
        ]
        family = sum(bool(each.at("warn", "alarm")) for each in found)
        score = sum(each.results[0].level in ("warn", "alarm") for each in found)
        kinds = sum(each.kind != "none" for each in found)
        yield Row(
            _PART,
            f"AR(1) rho 0.9, no drift, n {n:,}: at most 2 % false warnings",
            f"{family / trials:.1%} of {trials} trials",
            met=family / trials <= _MOST_FALSE,
            note=f"any of 21 series warns; the score alone {score / trials:.1%}; "
            f"a verdict other than none {kinds / trials:.1%}",
        )


def _half_a_sigma() -> Iterator[Row]:
    n, trials = 5000, 100
    for rho, asked in ((0.0, True), (0.5, True), (0.9, False)):
        found = [
            _verdict(_made(n, rho, seed), _moved(_made(n, rho, seed, later=1), score=0.5))
            for seed in range(trials)
        ]
        seen = sum(each.results[0].level in ("warn", "alarm") for each in found)
        alarms = sum(each.results[0].level == "alarm" for each in found)
        yield Row(
            _PART,
            f"0.5 sigma in the score, n 5,000, rho {rho:g}: "
            + ("always seen" if asked else "seen"),
            f"{seen} of {trials} trials",
            met=seen == trials if asked else None,
            note=f"alarms at once in {alarms}, the others with the second warning"
            if asked
            else f"alarms at once in {alarms}; 5,000 such rows are worth some 130 to 260",
        )


def _too_little() -> Row:
    n, trials = 100_000, 10
    found = [
        _verdict(
            _made(n, 0.0, seed),
            _moved(
                _made(n, 0.0, seed, later=1), score=0.02, features=dict.fromkeys(range(5), 0.02)
            ),
        )
        for seed in range(trials)
    ]
    paged = sum(each.kind != "none" or bool(each.at("warn", "alarm")) for each in found)
    return Row(
        _PART,
        "0.02 sigma in the score and five features, n 100,000: never pages",
        f"{paged} of {trials} trials",
        met=paged == 0,
    )


def _unit_changes() -> Iterator[Row]:
    changes: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        "degC to degF": lambda x: (1.8 * x + 32).astype(np.float32),
        "m/s to km/h": lambda x: (3.6 * x).astype(np.float32),
        "kW to W": lambda x: (1000 * x).astype(np.float32),
    }
    trials = 10
    for name, change in changes.items():
        found = [_after_unit_change(seed, change) for seed in range(trials)]
        typed = sum(each.kind == "data fault" for each in found)
        yield Row(
            _PART,
            f"a unit change ({name}) is typed `data fault`",
            f"{typed} of {trials} trials",
            met=typed == trials,
            note="one channel of level 15 and sigma 3; the score rises by 3 sigma with it",
        )


def _two_in_a_row() -> Row:
    n, trials = 5000, 40
    caught = 0
    for seed in range(trials):
        normal = _made(n, 0.0, seed)
        weeks = [_moved(_made(n, 0.0, seed, later=week), score=0.3) for week in (1, 2)]
        first = _verdict(normal, weeks[0])
        caught += _verdict(normal, weeks[1], first).kind == "degradation"
    return Row(
        _PART,
        "0.3 sigma in the score for two weeks, n 5,000: the second warning alarms",
        f"{caught} of {trials} trials",
        met=None,
        note="D is about 0.12: above the floor that warns, far below the one that alarms alone",
    )


def _after_unit_change(
    seed: int, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> DriftVerdict:
    normal, later = _made(5000, 0.9, seed), _made(5000, 0.9, seed, later=1)
    for sample in (normal, later):
        sample.features[:, 7] = 15 + 3 * sample.features[:, 7]
    later.features[:, 7] = change(later.features[:, 7])
    return _verdict(normal, _moved(later, score=3.0))


def _verdict(
    reference: Sample, current: Sample, previous: DriftVerdict | None = None
) -> DriftVerdict:
    return judge_drift(reference, current, columns=_COLUMNS, limits=_LIMITS, previous=previous)


def _made(n: int, rho: float, seed: int, *, later: int = 0) -> Sample:
    """Normal rows, `later` windows after the first."""
    rng = np.random.default_rng([seed, later])
    noise = rng.standard_normal((n, len(_NAMES) + 1)) * np.sqrt(1 - rho**2)
    noise[0] /= np.sqrt(1 - rho**2)
    waves = lfilter([1], [1, -rho], noise, axis=0)
    time = (later * n + np.arange(n)) * _CADENCE_NS
    timeline = Timeline(time, np.zeros(n, dtype=np.intp), ("",), _CADENCE_NS)
    return Sample(timeline, waves[:, 1:].astype(np.float32), np.exp(waves[:, 0]).astype(np.float32))


def _moved(sample: Sample, *, score: float, features: dict[int, float] | None = None) -> Sample:
    """The sample with log-score and features shifted, in standard deviations."""
    values = sample.features.copy()
    for place, shift in (features or {}).items():
        values[:, place] += shift
    return replace(sample, features=values, score=(sample.score * np.exp(score)).astype("f4"))
