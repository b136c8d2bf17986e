"""Weekly drift verdicts while a made plant stays as it is, and while one channel wears out slowly.

A version is trained on ninety days. The weeks after the training are judged one by one, and each
four weeks the threshold is recalibrated on all rows since, whose sample becomes the reference; a
recalibration that stops is not answered. Wear is noise of one channel that grows linearly over
half a year, to a part of the channel's own spread: its values stay in their training range.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.lasting.eight_channels import DAYS, plant_rows, plant_spec, trained
from benchmarks.lasting.intervals import A_DAY
from benchmarks.operation.rows import Row
from pipeline.config import DetectorSpec
from pipeline.data.timeline import Mask
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.calibration.kept_rows import sample_reference
from pipeline.detector.thresholds.coverage import clopper_pearson
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftVerdict, Sample, baseline
from pipeline.drift.comparison import select_rows
from pipeline.drift.observed import TwoMemories, accepted_rows, remembered, sample_of, verdict_of
from pipeline.recalibration import (
    Anchor,
    KeptScores,
    Memory,
    WindowRows,
    recalibrate,
    unforced_anchor,
)

SEEDS = tuple(range(200, 220))
"""Rules were chosen on seeds below 100."""

_WEEKS = 28
_EVERY = 4  # weeks from one recalibration to the next
_RAMP = 26 * 7 * A_DAY  # rows until the wear is complete
_FALSE = 0.02
_CALLED = 0.9


@dataclass(frozen=True)
class Wear:
    """Noise that one channel gains, in parts of its spread."""

    channel: str
    size: float


@dataclass(frozen=True)
class SeedYear:
    """The weekly verdicts of one seed, and which recalibrations stopped."""

    verdicts: tuple[DriftVerdict, ...]
    stopped: tuple[bool, ...]

    @property
    def rises(self) -> int:
        """Weeks that asked for a recalibration because of a rise before there were two memories."""
        return sum(
            each.kind in ("degradation", "threshold stale") and _rises(each)
            for each in self.verdicts
        )

    def first(self) -> tuple[int, DriftVerdict] | None:
        """The first week that was called a degradation, from 1; None: none was."""
        found = enumerate(self.verdicts, start=1)
        return next((each for each in found if each[1].kind == "degradation"), None)


def lived(wear: Wear | None, seed: int) -> SeedYear:
    """The weeks of one seed, each judged by what is live then."""
    spec = plant_spec()
    frame = worn(plant_rows(7 * _WEEKS, seed, first_day=DAYS), wear, seed)
    verdicts: list[DriftVerdict] = []
    stopped: list[bool] = []
    with tempfile.TemporaryDirectory() as scratch:
        bundle = trained(plant_rows(DAYS, seed), spec, Path(scratch) / "version").bundle
        known, rows = remembered(bundle, spec), sample_of(bundle, frame, spec.columns)
        anchor = _anchor(bundle, frame)
        live = bundle
        for week in range(_WEEKS):
            now = _rows(rows, week, week + 1)
            found = verdict_of(known, now, spec, live)
            verdicts += [found] if found is not None else []
            if (week + 1) % _EVERY == 0:
                window = _rows(rows, 0, week + 1)
                asked = recalibrate(
                    _window(window, live),
                    _memory(bundle),
                    live.description.threshold,
                    anchor,
                    spec.recalibration,
                    spec.threshold,
                )
                stopped.append(bool(asked.stops))
                if not asked.stops:
                    anchor = unforced_anchor(asked)
                    live = _with_threshold(live, asked.threshold)
                    known = _remembered(live, window, asked.weight > 0, spec)
    return SeedYear(tuple(verdicts), tuple(stopped))


def worn(frame: pd.DataFrame, wear: Wear | None, seed: int) -> pd.DataFrame:
    """`frame` with the noise that the channel gains."""
    if wear is None:
        return frame
    random = np.random.default_rng([seed, 13])
    growth = np.clip(np.arange(len(frame)) / _RAMP, 0, 1) * wear.size
    values = frame[wear.channel].to_numpy(np.float64)
    noise = growth * values.std() * random.standard_normal(len(frame))
    return frame.assign(**{wear.channel: (values + noise).astype(np.float32)})


def rows_of_quiet(years: Sequence[SeedYear]) -> Iterator[Row]:
    """The report about weeks in which nothing happens."""
    weeks = [each for year in years for each in year.verdicts]
    of_kind = {
        kind: [each for each in weeks if each.kind == kind]
        for kind in ("degradation", "threshold stale", "model stale", "input drift")
    }
    before = sum(year.rises for year in years)
    for kind, found in of_kind.items():
        rate = len(found) / len(weeks)
        low, high = clopper_pearson(rate, len(weeks))
        yield Row(
            f"stationary weeks called `{kind}`",
            f"<= {_FALSE:.0%}" if kind == "degradation" else "reported",
            f"{len(found)} of {len(weeks)} ({low:.1%}-{high:.1%})",
            rate <= _FALSE if kind == "degradation" else None,
            f"{sum(map(_rises, found))} rose beyond the reference; of all weeks {before}, which "
            "asked for a recalibration before",
        )


def row_of(wear: Wear, years: Sequence[SeedYear]) -> Row:
    """The report about one channel that wears out."""
    first = [each for each in (year.first() for year in years) if each]
    named = sum(week.carriers.channels[:1] == (wear.channel,) for _, week in first)
    asked = sum(
        week.kind == "threshold stale" and _rises(week) for year in years for week in year.verdicts
    )
    before = sum(year.rises for year in years)
    weeks = sorted(week for week, _ in first)
    return Row(
        f"noise of {wear.channel} grows to {wear.size:g} sd in 26 weeks",
        f">= {_CALLED:.0%} called",
        f"{len(first)} of {len(years)} called, {named} name it first",
        len(first) >= _CALLED * len(years),
        f"median week {weeks[len(weeks) // 2] if weeks else 0}; a rise asks for a recalibration in "
        f"{asked} weeks, before in {before}; a recalibration stopped in "
        f"{sum(any(year.stopped) for year in years)} of {len(years)}",
    )


def wears() -> tuple[Wear, ...]:
    """The channels of the report: one that others explain well, and two that they explain less."""
    return (Wear("current", 0.5), Wear("oil", 0.5), Wear("oil", 1.0), Wear("shaking", 1.0))


def _rises(verdict: DriftVerdict) -> bool:
    """Whether score or flags rose beyond the reference of the live threshold."""
    score, rate = verdict.results[0], verdict.rate
    above = rate is not None and rate.verdict == "above"
    return above or (score.level == "alarm" and score.rises)


def _rows(rows: Sample, first: int, last: int) -> Sample:
    return select_rows(rows, np.arange(first * 7 * A_DAY, last * 7 * A_DAY))


def _window(rows: Sample, live: Bundle) -> WindowRows:
    n = len(rows.score)
    return WindowRows(
        rows.timeline,
        rows.score.astype(np.float64),
        np.full(n, live.threshold),
        np.zeros(n, dtype=np.int8),
        np.zeros(n, dtype=bool),
        np.full(n, np.nan),
    )


def _memory(bundle: Bundle) -> Memory:
    trained_rows = bundle.trained_reference()
    kept = KeptScores(trained_rows.score.astype(np.float64), trained_rows.timeline)
    return Memory(kept, kept)


def _anchor(bundle: Bundle, later: pd.DataFrame) -> Anchor:
    day = (later["timestamp"].iloc[0] - pd.Timedelta("1D")).date()
    return Anchor(bundle.threshold, bundle.description.calibration.quantiles["0.5"], day, moved=day)


def _with_threshold(bundle: Bundle, threshold: ThresholdEstimate) -> Bundle:
    return replace(bundle, description=replace(bundle.description, threshold=threshold))


def _remembered(live: Bundle, window: Sample, kept: Mask, spec: DetectorSpec) -> TwoMemories:
    """As `write_recalibrated` makes the next reference."""
    accepted, used = accepted_rows(live, spec.columns), select_rows(window, kept)
    rows = sample_reference(used.features, used.score, used.timeline)
    reference = Sample(rows.timeline or used.timeline, rows.features, rows.score)
    return TwoMemories(baseline(reference, spec.columns, spec.drift, accepted.sample), accepted)
