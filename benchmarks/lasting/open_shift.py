"""Successors while a shift is open: without its rows, or only without the cells of its channel.

`python -m benchmarks.lasting.open_shift --trials N`. One channel moves by six standard deviations
halfway through the 90 days of a successor; its case is open. Nothing was chosen on these seeds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.lasting.eight_channels import (
    DAYS,
    LaterDays,
    filled_by,
    plant_rows,
    plant_spec,
    seen,
    trained,
)
from benchmarks.lasting.first_version import seeds_of
from pipeline.cases import CaseSpan
from pipeline.detector.bundle.bundle import Bundle
from pipeline.steps.open_case_rows import left_out

CHANNEL = "heat"
_MOVED = 6.0  # standard deviations
WAYS = ("no shift", "rows left out", "cells filled in")


def moved(frame: pd.DataFrame) -> tuple[pd.DataFrame, CaseSpan]:
    """`frame` with the channel moved in its second half, and the span of the case about it."""
    half = len(frame) // 2
    values, time = frame[CHANNEL].to_numpy(copy=True), frame["timestamp"]
    values[half:] += np.float32(_MOVED * values.std())
    span = CaseSpan("made", "shift", None, (CHANNEL,), time.iloc[half], time.iloc[-1], None, None)
    return frame.assign(**{CHANNEL: values}), span


def without(frame: pd.DataFrame, span: CaseSpan, live: Bundle | None) -> pd.DataFrame:
    """`frame` without the rows of the shift, or, filled in by `live`, without its cells."""
    how = None if live is None else filled_by(live)
    rows = np.flatnonzero(frame["timestamp"].between(span.start, span.end))
    return left_out(frame, plant_spec(), [(span, rows)], how).frame


def lived(seed: int) -> dict[str, LaterDays]:
    """What the successor of one plant does on later days, by the way it was trained."""
    spec, frame = plant_spec(), plant_rows(DAYS, seed, first_day=DAYS)
    shifted, span = moved(frame)
    with tempfile.TemporaryDirectory() as scratch:
        live = trained(plant_rows(DAYS, seed), spec, Path(scratch) / "live").bundle
        rows = (frame, without(shifted, span, None), without(shifted, span, live))
        return {
            way: seen(trained(each, spec, Path(scratch) / way).bundle, seed)
            for way, each in zip(WAYS, rows, strict=True)
        }


def report(way: str, trials: Sequence[LaterDays]) -> str:
    """One line: false alarms and faults caught, with the least and the greatest of all trials."""
    rates, caught = [each.rate for each in trials], [each.caught for each in trials]
    return (
        f"{way:16} flags {np.mean(rates):.2%} of later normal rows "
        f"({min(rates):.2%}-{max(rates):.2%}); catches {np.mean(caught):.0%} of 4-sd faults "
        f"({min(caught):.0%}-{max(caught):.0%})"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    seeds = seeds_of(arguments, __doc__ or "")
    print(f"Successors while {CHANNEL} has moved by 6 sd, seeds {seeds.start} to {seeds.stop - 1}")
    trials = [lived(seed) for seed in seeds]
    for way in WAYS:
        print(report(way, [trial[way] for trial in trials]))


if __name__ == "__main__":
    main()
