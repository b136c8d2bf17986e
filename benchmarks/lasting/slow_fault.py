"""Whether a fault that grows slowly is told before the threshold has followed it.

Each seed is lived through with the fault and without it; what the two thresholds differ by is due
to the fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.lasting.months import Course, SlowFault
from benchmarks.lasting.recalibration import Served, lived
from benchmarks.operation.rows import Row
from pipeline.detector.thresholds.coverage import clopper_pearson

ONSET = 18
SEEDS = tuple(range(200, 220))
"""Rules were chosen on seeds below 100."""

_ASKED = 0.9
_FALSE = 0.5
_FOLLOWED = 1.2  # times the threshold without the fault


@dataclass(frozen=True)
class Found:
    """One seed of a fault.

    Attributes:
        told: month, from the onset, in which a person was told first; None: never.
        followed: month in which the threshold was first a fifth higher because of the fault; None:
            never.
    """

    told: int | None
    followed: int | None

    @property
    def in_time(self) -> bool:
        """Whether it was told no later than with that raise."""
        return self.followed is None or (self.told is not None and self.told <= self.followed)


def faults() -> tuple[Course, ...]:
    """The slow faults of the report."""
    return tuple(
        Course(
            f"x {factor:g} in {share:.0%} of rows over {ramp} months",
            fault=SlowFault(ONSET, ramp, factor, share),
        )
        for factor, share in ((1.4, 1.0), (1.6, 1.0), (2.0, 1.0), (3.0, 0.1))
        for ramp in (3, 9)
    )


def quiet() -> tuple[Course, ...]:
    """Months without a fault; seasons are reported only."""
    return (
        Course("no fault, rho 0", rho=0.0),
        Course("no fault, rho 0.9"),
        Course("no fault, rho 0.97", rho=0.97),
        Course("season of 10 %", season=0.1),
        Course("season of 30 %", season=0.3),
    )


def found(course: Course, seed: int, without: Served) -> Found:
    """Live through the fault, and compare with the same seed without it."""
    served = lived(course, seed)
    months = range(ONSET, course.months)
    return Found(
        told=next((month - ONSET for month in months if served.told[month]), None),
        followed=next(
            (
                month - ONSET
                for month in months
                if served.threshold[month] > _FOLLOWED * without.threshold[month]
            ),
            None,
        ),
    )


def calls(served: Served) -> int:
    """Times that a person was told something new: a stop, or the first word since an answer."""
    count, is_open = 0, False
    for stops, told in zip(served.stops, served.told, strict=True):
        count += bool(stops) or (told and not is_open)
        is_open = not stops and (told or is_open)
    return count


def fault_row(course: Course, trials: Sequence[Found]) -> Row:
    """One row of the report about a fault."""
    in_time, n = sum(trial.in_time for trial in trials), len(trials)
    low, high = clopper_pearson(in_time / n, n)
    told = [trial.told for trial in trials if trial.told is not None]
    followed = [trial.followed for trial in trials if trial.followed is not None]
    return Row(
        course.name,
        ">= 90 %",
        f"{in_time} of {n} ({low:.0%}-{high:.0%})",
        in_time >= _ASKED * n,
        f"told in {len(told)}, median month {median(told) if told else float('nan'):g}; the "
        f"threshold followed in {len(followed)}, month "
        f"{median(followed) if followed else float('nan'):g}",
    )


def quiet_row(course: Course, served: Sequence[Served]) -> Row:
    """One row of the report about months without a fault."""
    each = float(np.mean([calls(one) for one in served])) * ONSET / course.months
    return Row(
        course.name,
        "reported" if course.season else f"<= {_FALSE} in 18 months",
        f"{each:.2f} in 18 months",
        None if course.season else each <= _FALSE,
    )
