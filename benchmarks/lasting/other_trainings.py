"""Why the first version of a station is wrong about later months: the same days, trained otherwise.

These explain a miss; nothing in the product was changed by them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.lasting.blacksmith_fork import FIRST, LAST, MARK, StationDays
from benchmarks.lasting.eight_channels import judged, trained
from benchmarks.lasting.scored_days import scored_days
from pipeline.config import DetectorSpec
from pipeline.utc_day import ONE_DAY


@dataclass(frozen=True)
class OtherTraining:
    """A version of the same station.

    Attributes:
        name: how it was trained.
        stated: the interval that its threshold states.
        rate: share of later normal rows that it flags, with shifts muted.
        failed: checks of the gate that it failed, each with its value.
    """

    name: str
    stated: tuple[float, float]
    rate: float
    failed: tuple[str, ...]

    @property
    def text(self) -> str:
        """One line of the report."""
        low, high = self.stated
        where = "inside" if low <= self.rate <= high else "outside"
        gate = f"refused by {', '.join(self.failed)}" if self.failed else "passed"
        return (
            f"{self.name}: states {low:.2%} to {high:.2%}, flags {self.rate:.2%} of later normal "
            f"rows, {where}; gate: {gate}"
        )


def blocks_in_order(spec: DetectorSpec) -> DetectorSpec:
    """The detector file with the test block after the calibration, and that after the training."""
    return spec.model_copy(update={"split": spec.split.model_copy(update={"method": "contiguous"})})


def without_corrected_rows(spec: DetectorSpec) -> DetectorSpec:
    """The detector file of somebody who knows from the start what technicians corrected."""
    marks = {"exclude_from_training": (MARK,)}
    return spec.model_copy(update={"columns": spec.columns.model_copy(update=marks)})


def other_training(
    name: str, days: StationDays, spec: DetectorSpec, until: date, judged_until: date = LAST
) -> OtherTraining:
    """Train on the days before `until` and count on those after them."""
    frame = days.telemetry[days.telemetry["timestamp"].dt.date < until].reset_index(drop=True)
    with tempfile.TemporaryDirectory() as scratch:
        version = trained(frame, spec, Path(scratch) / "other")
        verdict = judged(version, spec)
        later = list(scored_days(version.bundle, days.telemetry, spec, until, judged_until))
    normal = np.concatenate([~each.frame[MARK].to_numpy(dtype=bool) for each in later])
    flagged = np.concatenate([each.judged.flagged for each in later])
    return OtherTraining(
        name,
        version.bundle.description.threshold.rate_interval,
        float(flagged[normal].mean()),
        tuple(f"{e.name} ({e.value})" for e in verdict.results if e.verdict == "fail"),
    )


def other_trainings(days: StationDays, first: date, asked_until: date) -> list[OtherTraining]:
    """Blocks in order of time instead of interleaved days, and a year but for December.

    The year is trained as nobody labels it, and without the rows that technicians corrected.
    """
    year = days.telemetry["timestamp"].dt.date
    last = year[year < date(FIRST.year + 1, 1, 1)].max()
    return [
        other_training(
            "first 90 days, blocks in order", days, blocks_in_order(days.spec), first, asked_until
        ),
        other_training(f"all days until {last}", days, days.spec, last + ONE_DAY),
        other_training(
            f"all days until {last}, corrected rows left out",
            days,
            without_corrected_rows(days.spec),
            last + ONE_DAY,
        ),
    ]
