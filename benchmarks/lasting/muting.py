"""One muted channel of eight: false alarms of the others, what they still find, whom they blame.

`python -m benchmarks.lasting.muting --trials N`. The number of passes that fill a muted channel in
was chosen on seeds 1 to 3; this reports on others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.lasting.eight_channels import CHANNELS, DAYS, plant_rows, plant_spec, trained
from benchmarks.lasting.first_version import measured, seeds_of
from benchmarks.lasting.intervals import A_DAY
from pipeline.data.timeline import Mask, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.inputs.scored import Rows
from pipeline.incidents.judging import judge
from pipeline.incidents.parts import ANOMALY, day_parts, largest_gaps
from pipeline.scoring import score_values

_LATER_DAYS = 30
_MOVED = 6.0  # standard deviations: it is muted in nearly each row
_MOVED_DAY = 3
_WEAK = 1.5  # standard deviations
_WEAK_AT, _WEAK_ROWS = 40, 36  # six hours of a day
MEAN_RATIO, WORST_RATIO = 1.3, 1.6


@dataclass(frozen=True)
class MutedTrial:
    """One version on later days.

    Attributes:
        rate: share of normal rows that it flags.
        rates: the same with each channel muted.
        caught: share of the rows of weak faults that it flags, in one channel each.
        caught_muted: the same with another channel muted, mean of all pairs.
        incidents: raised while a channel was muted in each of their flagged rows.
        blamed: of these, how many name the muted channel first.
    """

    rate: float
    rates: tuple[float, ...]
    caught: float
    caught_muted: float
    incidents: int
    blamed: int


def flagged(bundle: Bundle, rows: Rows, muted: int | None) -> Mask:
    """The flags of rows, of which a channel is muted throughout."""
    away = np.zeros(rows.shape, dtype=bool)
    if muted is not None:
        away[:, muted] = True
    return score_values(bundle, rows, None, away).flagged


def weak_fault(rows: Rows, channel: int) -> Rows:
    """The rows of each day's six hours, with a channel 1.5 sd too high."""
    place = np.arange(len(rows)) % A_DAY
    struck = rows[(place >= _WEAK_AT) & (place < _WEAK_AT + _WEAK_ROWS)]
    struck[:, channel] += np.float32(_WEAK * rows[:, channel].std())
    return struck


def moved(frame: pd.DataFrame, channel: str) -> pd.DataFrame:
    """`frame` with a channel that moves for good on its fourth day."""
    values = frame[channel].to_numpy(copy=True)
    values[_MOVED_DAY * A_DAY :] += np.float32(_MOVED * values.std())
    return frame.assign(**{channel: values})


def blames(bundle: Bundle, frame: pd.DataFrame, channel: str) -> tuple[int, int]:
    """Incidents of `frame` while the channel was muted, and how many name it first."""
    spec = plant_spec()
    judged = judge(bundle, frame, len(frame), spec.shifts)
    timeline = timeline_from(frame, spec.columns)
    counts = ~judged.shifts.muted[:, CHANNELS.index(channel)] & judged.flagged
    time = frame["timestamp"]
    parts = [
        part
        for part in day_parts(judged, timeline, 1, *largest_gaps(spec))
        if part.kind == ANOMALY and not counts[time.between(part.start, part.end)].any()
    ]
    return len(parts), sum(part.features[0].channel == channel for part in parts)


def muted_trial(seed: int) -> MutedTrial:
    """Train on 90 days of a plant, then mute each channel on 30 later ones."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = trained(plant_rows(DAYS, seed), plant_spec(), Path(scratch) / "version").bundle
        frame = plant_rows(_LATER_DAYS, seed, first_day=10 * DAYS)
        rows, channels = feature_values(frame, bundle.schema), range(len(CHANNELS))
        faults = [weak_fault(rows, channel) for channel in channels]
        blamed = [blames(bundle, moved(frame, channel), channel) for channel in CHANNELS]
        return MutedTrial(
            rate=float(flagged(bundle, rows, None).mean()),
            rates=tuple(float(flagged(bundle, rows, muted).mean()) for muted in channels),
            caught=_mean(flagged(bundle, fault, None) for fault in faults),
            caught_muted=_mean(
                flagged(bundle, fault, muted)
                for channel, fault in enumerate(faults)
                for muted in channels
                if muted != channel
            ),
            incidents=sum(found for found, _ in blamed),
            blamed=sum(first for _, first in blamed),
        )


def report(trials: Sequence[MutedTrial]) -> str:
    """What was asked, what was found, and whether that is reached."""
    usual = float(np.mean([trial.rate for trial in trials]))
    rates = np.mean([trial.rates for trial in trials], axis=0)
    worst, mean = int(rates.argmax()), float(rates.mean())
    incidents, blamed = sum(t.incidents for t in trials), sum(t.blamed for t in trials)
    caught, muted = np.mean([(t.caught, t.caught_muted) for t in trials], axis=0)
    by_channel = ", ".join(f"{n} {r:.2%}" for n, r in zip(CHANNELS, rates, strict=True))
    return "\n".join(
        [
            f"false alarms without muting {usual:.2%}; with one channel muted {mean:.2%}: "
            + _asked(mean / usual, MEAN_RATIO),
            f"  worst with {CHANNELS[worst]} muted, {rates[worst]:.2%}: "
            + _asked(rates[worst] / usual, WORST_RATIO),
            f"  {by_channel}",
            f"rows of weak faults caught {caught:.1%}; with another channel muted {muted:.1%}",
            f"muted channel blamed first in {blamed} of {incidents} incidents, asked 0: "
            + _reached(blamed, 0),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    seeds = seeds_of(arguments, __doc__ or "")
    print(f"One muted channel of eight, seeds {seeds.start} to {seeds.stop - 1}")
    print(report(measured(muted_trial, seeds)))


def _mean(flags: Iterable[Mask]) -> float:
    return float(np.mean([each.mean() for each in flags]))


def _asked(ratio: float, most: float) -> str:
    return f"{ratio:.2f} x, asked <= {most:g}: {_reached(ratio, most)}"


def _reached(value: float, most: float) -> str:
    return "reached" if value <= most else "MISSED"


if __name__ == "__main__":
    main()
