"""Which verdict a week with a planted fault gets, and whether the action could do harm.

A version is trained on ninety days of the made plant; each fault is put into one later week of it.
A fault of the data must never be answered by a training or a recalibration. Rules were chosen on
seeds 0 to 11.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.lasting.eight_channels import CHANNELS, DAYS, plant_rows, plant_spec, trained
from benchmarks.lasting.intervals import A_DAY, waves
from benchmarks.operation.rows import Row
from pipeline.drift import Kind
from pipeline.drift.observed import remembered, sample_of, verdict_of

SEEDS = tuple(range(300, 312))

_HARMFUL: tuple[Kind, ...] = ("model stale", "threshold stale")
_LATER = 30  # days after the training
_WEATHER = 0.999  # correlation of neighbouring rows: a wave of a week
_LAG = 36  # rows: six hours
_RIGHT = 11 / 12

Change = Callable[[pd.DataFrame, pd.Series, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class FaultyWeek:
    """A fault of one week.

    Attributes:
        name: for the table.
        kinds: verdicts that are right.
        put: makes it, given the week, each channel's spread, and a source of chance.
    """

    name: str
    kinds: tuple[Kind, ...]
    put: Change


def _swapped(one: str, other: str) -> Change:
    return lambda week, _, __: week.assign(**{one: week[other], other: week[one]})


def _times(channel: str, factor: float) -> Change:
    return lambda week, _, __: week.assign(**{channel: (factor * week[channel]).astype(np.float32)})


def _late(channel: str) -> Change:
    return lambda week, _, __: week.assign(**{channel: np.roll(week[channel], _LAG)})


def _stuck(channel: str, share: float) -> Change:
    def put(week: pd.DataFrame, _: pd.Series, __: np.random.Generator) -> pd.DataFrame:
        values = week[channel].to_numpy(copy=True)
        values[A_DAY : A_DAY + int(share * len(values))] = values[A_DAY]
        return week.assign(**{channel: values})

    return put


def _ramp(channel: str) -> Change:
    def put(week: pd.DataFrame, spread: pd.Series, _: np.random.Generator) -> pd.DataFrame:
        ramp = 3 * spread[channel] * np.linspace(0, 1, len(week))
        return week.assign(**{channel: (week[channel] + ramp).astype(np.float32)})

    return put


def _noise(channel: str) -> Change:
    def put(week: pd.DataFrame, spread: pd.Series, random: np.random.Generator) -> pd.DataFrame:
        noise = spread[channel] * random.standard_normal(len(week))
        return week.assign(**{channel: (week[channel] + noise).astype(np.float32)})

    return put


def _moved(*names: str) -> Change:
    return lambda week, spread, _: week.assign(
        **{name: (week[name] + 2.5 * spread[name]).astype(np.float32) for name in names}
    )


FAULTS = (
    FaultyWeek("nothing", ("none", "not judged"), lambda week, _, __: week),
    FaultyWeek("columns swapped: power, flow", ("data fault",), _swapped("power", "flow")),
    FaultyWeek("columns swapped: heat, oil", ("data fault",), _swapped("heat", "oil")),
    FaultyWeek("sign of flow", ("data fault",), _times("flow", -1)),
    FaultyWeek("sign of oil", ("data fault",), _times("oil", -1)),
    FaultyWeek("scale of current, x 1.8", ("data fault",), _times("current", 1.8)),
    FaultyWeek("scale of heat, x 0.5", ("data fault",), _times("heat", 0.5)),
    FaultyWeek("current six hours late", ("data fault",), _late("current")),
    FaultyWeek("oil six hours late", ("data fault",), _late("oil")),
    FaultyWeek("oil stuck for half of the week", ("data fault",), _stuck("oil", 0.5)),
    FaultyWeek("flow stuck for half of the week", ("data fault",), _stuck("flow", 0.5)),
    FaultyWeek("ramp of oil to 3 sd", ("degradation",), _ramp("oil")),
    FaultyWeek("ramp of flow to 3 sd", ("degradation",), _ramp("flow")),
    FaultyWeek("noise of oil, 1 sd", ("degradation",), _noise("oil")),
    FaultyWeek(
        "new regime: four channels", ("model stale",), _moved("power", "heat", "current", "turns")
    ),
    FaultyWeek(
        "new regime: five channels",
        ("model stale",),
        _moved("power", "heat", "oil", "flow", "pressure"),
    ),
)


WEATHER = FaultyWeek(
    "weather of half a spread, as in training", ("none", "not judged"), lambda week, _, __: week
)


def kinds_of(seed: int) -> dict[str, Kind]:
    """The verdict on each fault in one week of one plant, and on a week without any in weather."""
    train, week = plant_rows(DAYS, seed), plant_rows(7, seed, first_day=DAYS + _LATER)
    spread = train[list(CHANNELS)].std()
    faulty = {
        fault.name: fault.put(week, spread, np.random.default_rng([seed, place]))
        for place, fault in enumerate(FAULTS)
    }
    wave = waves(np.random.default_rng([seed, 17]), _WEATHER, (DAYS + _LATER + 7) * A_DAY)
    before = _in_weather(train, spread, wave[: len(train)])
    later = _in_weather(week, spread, wave[-len(week) :])
    return _judged(train, faulty) | _judged(before, {WEATHER.name: later})


def _judged(train: pd.DataFrame, weeks: Mapping[str, pd.DataFrame]) -> dict[str, Kind]:
    spec = plant_spec()
    found: dict[str, Kind] = {}
    with tempfile.TemporaryDirectory() as scratch:
        bundle = trained(train, spec, Path(scratch) / "version").bundle
        known = remembered(bundle, spec)
        for name, week in weeks.items():
            verdict = verdict_of(known, sample_of(bundle, week, spec.columns), spec, bundle)
            if verdict is not None:
                found[name] = verdict.kind
    return found


def _in_weather(frame: pd.DataFrame, spread: pd.Series, wave: NDArray[np.float64]) -> pd.DataFrame:
    """`frame` with a wave that all channels have in common."""
    return frame.assign(
        **{name: (frame[name] + 0.5 * spread[name] * wave).astype(np.float32) for name in CHANNELS}
    )


def rows_of(trials: Sequence[dict[str, Kind]]) -> Iterator[Row]:
    """The report: right verdicts of each fault, and those whose action could do harm."""
    for fault in (*FAULTS, WEATHER):
        kinds: Counter[Kind] = Counter(each[fault.name] for each in trials)
        right = sum(kinds[kind] for kind in fault.kinds)
        harmful = sum(kinds[kind] for kind in _HARMFUL if kind not in fault.kinds)
        yield Row(
            f"a week with {fault.name}",
            f"{' or '.join(fault.kinds)} in 11 of 12, no harm",
            f"{right} of {len(trials)}, harmful {harmful}",
            met=bool(right >= _RIGHT * len(trials)) and not harmful,
            note=", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),
        )
