"""A channel that has left its range and goes on moving: which messages there are, and when.

`python -m benchmarks.lasting.growing_shift --trials N --first-seed 2000`. What smaller distances
count as (`FLOOR`) was chosen on seeds 1 to 3, 1000 and 1001; this reports on others.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.lasting.eight_channels import (
    CHANNELS,
    DAYS,
    Vector,
    plant_rows,
    plant_spec,
    trained,
)
from benchmarks.lasting.first_version import measured, seeds_of
from benchmarks.lasting.intervals import A_DAY
from benchmarks.lasting.scored_days import scored_days
from pipeline.cases import CaseState, day_facts, day_values, doublings, fold
from pipeline.data.timeline import timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.monitoring.notice import growth_id, is_growth_known
from pipeline.steps.case_limits import case_limits

_LATER_DAYS = 35
_STEPS = ((5, 6.0), (15, 20.0), (25, 100.0))  # day and standard deviations


def _steps(days: Vector) -> Vector:
    return np.select([days >= day for day, _ in reversed(_STEPS)], [sd for _, sd in _STEPS[::-1]])


def _stays(days: Vector) -> Vector:
    return np.where(days >= _STEPS[0][0], _STEPS[0][1], 0.0)


def _half_out(days: Vector) -> Vector:
    return np.where(days >= _STEPS[0][0], 3.0, 0.0)


def _creeps(days: Vector) -> Vector:
    return np.maximum(days - _STEPS[0][0], 0.0)  # a standard deviation a day


def _out_by_day(days: Vector) -> Vector:
    return np.where((days >= _STEPS[0][0]) & (days % 1 >= 1 / 3) & (days % 1 < 5 / 6), 6.0, 0.0)


PATHS: dict[str, Callable[[Vector], Vector]] = {
    "+6 sd on day 5, +20 on day 15, +100 on day 25": _steps,
    "+6 sd from day 5 on": _stays,
    "+3 sd from day 5 on": _half_out,
    "+6 sd by day, from day 5 on": _out_by_day,
    "a standard deviation a day, from day 5 on": _creeps,
}
"""Standard deviations by which a channel has moved, by the days since its training."""


@dataclass(frozen=True)
class Told:
    """The messages about one channel.

    Attributes:
        shifts: days on which a shift was told.
        growth: days on which it was told to have doubled.
    """

    shifts: tuple[int, ...]
    growth: tuple[int, ...]


def moved(frame: pd.DataFrame, channel: str, path: Callable[[Vector], Vector]) -> pd.DataFrame:
    """`frame` with a channel that moves along `path`."""
    values = frame[channel].to_numpy(copy=True)
    values += (path(np.arange(len(values)) / A_DAY) * values.std()).astype(np.float32)
    return frame.assign(**{channel: values})


def told_of(bundle: Bundle, frame: pd.DataFrame, channel: str) -> Told:
    """The messages of days that are scored one after the other, each day's task run twice."""
    spec = plant_spec()
    limits, state = case_limits(spec, bundle), CaseState()
    first, last = (frame[spec.columns.timestamp].iloc[at].date() for at in (0, -1))
    shifts: dict[str, int] = {}
    growth, filed = list[int](), dict[str, date]()
    for number, each in enumerate(scored_days(bundle, frame, spec, first, last)):
        timeline = timeline_from(each.frame, spec.columns)
        facts = day_facts(each.judged, timeline, limits, day_values(bundle, each.frame))
        state, _ = fold(state, each.day, facts)
        ours = [case for case in state.cases if case.told and case.channels == (channel,)]
        for case in ours:
            shifts.setdefault(case.id, number)
        for case, doubling in [(case, doublings(case)[-1:]) for case in ours] * 2:
            for grown in doubling:
                if not is_growth_known(case, grown, filed):
                    filed[growth_id(case, grown)] = grown.at.date()
                    growth.append(number)
    return Told(tuple(shifts.values()), tuple(growth))


def growing_trial(seed: int) -> dict[str, tuple[Told, ...]]:
    """Train on 90 days of a plant, then let each channel move on 35 later ones, by path."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = trained(plant_rows(DAYS, seed), plant_spec(), Path(scratch) / "version").bundle
        frame = plant_rows(_LATER_DAYS, seed, first_day=10 * DAYS)
        return {
            name: tuple(
                told_of(bundle, moved(frame, channel, path), channel) for channel in CHANNELS
            )
            for name, path in PATHS.items()
        }


def report(name: str, trials: Sequence[Told]) -> str:
    """How many messages of each kind there were, and on which days most of them."""
    return "\n".join(
        [
            f"{name}, {len(trials)} channels:",
            f"  shift told      {_spread([each.shifts for each in trials])}",
            f"  growth told     {_spread([each.growth for each in trials])}",
        ]
    )


def _spread(days: Sequence[tuple[int, ...]]) -> str:
    often = Counter(map(len, days))
    numbers = ", ".join(f"{times} x in {held}" for times, held in sorted(often.items()))
    when = Counter(chain.from_iterable(days)).most_common(3)
    on = ", ".join(f"day {day} ({held})" for day, held in sorted(when))
    return numbers + (f"; most often on {on}" if on else "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    seeds = seeds_of(arguments, __doc__ or "")
    print(f"One channel of eight that moves, seeds {seeds.start} to {seeds.stop - 1}")
    trials = measured(growing_trial, seeds)
    for name in PATHS:
        print(report(name, [told for trial in trials for told in trial[name]]))


if __name__ == "__main__":
    main()
