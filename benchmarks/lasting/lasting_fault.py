"""A fault that lasts while nobody answers: its successor must not take it for normal.

`python -m benchmarks.lasting.lasting_fault --trials N`. A champion is trained on 90 clean days. In
the next 90 one channel moves for good, and nobody labels or answers anything. The champion scores
them day by day with muting, the cases of these days are folded, the training of the successor
leaves out what open cases are about (rows of episodes, cells of shifts), and its gate asks for what
the champion flags of their rows. Nothing was chosen on the seeds that are reported.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.lasting.eight_channels import (
    CHANNELS,
    DAYS,
    OpenRows,
    filled_by,
    judged,
    plant_rows,
    plant_spec,
    trained,
)
from benchmarks.lasting.first_version import measured, seeds_of
from benchmarks.lasting.intervals import A_DAY
from benchmarks.lasting.scored_days import scored_days
from pipeline.cases import Case, CaseSpan, CaseState, day_facts, day_values, fold, unaccepted_spans
from pipeline.config import DetectorSpec
from pipeline.data.timeline import rows_within, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.scoring import score_rows
from pipeline.steps.case_limits import case_limits
from pipeline.steps.open_case_rows import KINDS_LEFT_OUT, LeftOut, left_out
from pipeline.utc_day import ONE_DAY, midnight

SEEING = 0.9
"""A successor that flags less of the fault's rows is blind to it."""


@dataclass(frozen=True)
class LastingShift:
    """A channel that has moved for good.

    Attributes:
        sd: by how many of its standard deviations.
        days: since so many days, until the training.
    """

    sd: float
    days: int

    @property
    def name(self) -> str:
        """The name of its lines in the report."""
        return f"+{self.sd:g} sd in the last {self.days} days"


SHIFTS = tuple(LastingShift(sd, days) for days in (15, 45) for sd in (3.0, 6.0, 10.0))


@dataclass(frozen=True)
class ShiftTrial:
    """The successor of one seed before the gate.

    Attributes:
        passed: whether the gate let it pass.
        failed: names of the checks that it failed.
        left_out: share of the fault's rows that trained nothing, or not as they were measured.
        champion: share of the fault's rows that the champion flags, muting nothing.
        candidate: share that it flags itself.
    """

    passed: bool
    failed: tuple[str, ...]
    left_out: float
    champion: float
    candidate: float

    @property
    def blind(self) -> bool:
        """Whether it passed although it flags less than nine tenths of the fault's rows."""
        return self.passed and self.candidate < SEEING

    @property
    def blinder(self) -> bool:
        """Whether it passed and flags less than nine tenths of what the champion flags."""
        return self.passed and self.candidate < SEEING * self.champion


def with_shift(frame: pd.DataFrame, shift: LastingShift, seed: int) -> pd.DataFrame:
    """`frame` with one channel moved in the last days; the seed says which channel."""
    channel = CHANNELS[int(np.random.default_rng([seed, 13]).integers(len(CHANNELS)))]
    values = frame[channel].to_numpy(copy=True)
    values[-shift.days * A_DAY :] += np.float32(shift.sd * values.std())
    return frame.assign(**{channel: values})


def open_spans(
    champion: Bundle, before: pd.DataFrame, frame: pd.DataFrame, spec: DetectorSpec
) -> tuple[CaseSpan, ...]:
    """What the days of `frame` leave open, scored day by day after those of `before`."""
    limits, state, returned = case_limits(spec, champion), CaseState(), list[Case]()
    both = pd.concat([before, frame], ignore_index=True)
    first, last = (frame[spec.columns.timestamp].iloc[at].date() for at in (0, -1))
    for each in scored_days(champion, both, spec, first, last):
        timeline = timeline_from(each.frame, spec.columns)
        facts = day_facts(each.judged, timeline, limits, day_values(champion, each.frame))
        state, closed = fold(state, each.day, facts)
        returned += closed
    return unaccepted_spans((*returned, *state.cases), (), midnight(last + ONE_DAY))


def cleaned(
    champion: Bundle, frame: pd.DataFrame, spec: DetectorSpec, spans: tuple[CaseSpan, ...]
) -> LeftOut:
    """`frame` as the train DAG stages it, given what is open."""
    kept = [span for span in spans if span.kind in KINDS_LEFT_OUT]
    inside = rows_within(timeline_from(frame, spec.columns), kept)
    return left_out(frame, spec, list(zip(kept, inside, strict=True)), filled_by(champion))


def shift_trial(
    champion: Bundle, before: pd.DataFrame, shift: LastingShift, seed: int
) -> ShiftTrial:
    """Live through the days after `before` with this shift, train on them and judge."""
    spec = plant_spec()
    frame = with_shift(plant_rows(DAYS, seed, first_day=DAYS), shift, seed)
    spans = open_spans(champion, before, frame, spec)
    return successor_of(champion, cleaned(champion, frame, spec, spans), frame, shift, spans)


def successor_of(
    champion: Bundle,
    training: LeftOut,
    frame: pd.DataFrame,
    shift: LastingShift,
    spans: tuple[CaseSpan, ...] = (),
) -> ShiftTrial:
    """Train on `training` and judge; `frame` are the rows as they were measured."""
    spec, fault = plant_spec(), frame.iloc[-shift.days * A_DAY :]
    shifts = tuple(span for span in spans if span.kind == "shift")
    with tempfile.TemporaryDirectory() as scratch:
        version = trained(training.frame, spec, Path(scratch) / "candidate")
        verdict = judged(version, spec, champion, OpenRows(training.originals, shifts))
        return ShiftTrial(
            passed=verdict.passed,
            failed=tuple(each.name for each in verdict.results if each.verdict == "fail"),
            left_out=float(fault["timestamp"].isin(training.originals["timestamp"]).mean()),
            champion=float(score_rows(champion, fault).flagged.mean()),
            candidate=float(score_rows(version.bundle, fault).flagged.mean()),
        )


def trials_of(seed: int) -> tuple[ShiftTrial, ...]:
    """One trial for each of SHIFTS, with the same champion."""
    before = plant_rows(DAYS, seed)
    with tempfile.TemporaryDirectory() as scratch:
        champion = trained(before, plant_spec(), Path(scratch) / "champion").bundle
        return tuple(shift_trial(champion, before, shift, seed) for shift in SHIFTS)


def shift_report(name: str, trials: Sequence[ShiftTrial]) -> str:
    """Two lines: the answer, and what the trials were like."""
    n, blind = len(trials), sum(trial.blind for trial in trials)
    failed = Counter(check for trial in trials for check in trial.failed)
    unseen = [trial for trial in trials if trial.champion < SEEING]
    return (
        f"{name:28} passed and blind {blind} of {n}, asked 0: {'MISSED' if blind else 'reached'}; "
        f"against the champion {sum(trial.blinder for trial in trials)} of {n}\n"
        f"{'':28} passed {sum(trial.passed for trial in trials)}; failed: "
        f"{dict(failed) or 'none'}; of the fault's rows the champion flags "
        f"{_spread([trial.champion for trial in trials])} (less than {SEEING:.0%} in "
        f"{len(unseen)}, {sum(trial.blind for trial in unseen)} of these passed and blind), "
        f"the candidate {_spread([trial.candidate for trial in trials])}; left out of training "
        f"{_spread([trial.left_out for trial in trials])}"
    )


def _spread(shares: Sequence[float]) -> str:
    return f"{median(shares):.1%} ({min(shares):.1%}-{max(shares):.1%})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    seeds = seeds_of(arguments, __doc__ or "")
    print(
        f"Successors after a fault that lasts, seeds {seeds.start} to {seeds.stop - 1}", flush=True
    )
    found = measured(trials_of, seeds)
    for shift, trials in zip(SHIFTS, zip(*found, strict=True), strict=True):
        print(shift_report(shift.name, trials))


if __name__ == "__main__":
    main()
