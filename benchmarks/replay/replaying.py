"""The replay as one call: two years in a folder, Plimsoll and every opponent counted alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.replay import story
from benchmarks.replay.opponents import DatedThreshold, nanoseconds, play, thresholds
from benchmarks.replay.place import deployed
from benchmarks.replay.policies import POLICIES
from benchmarks.replay.rows import Judged, judged, thresholds_by_version
from benchmarks.replay.story import Month, Say
from benchmarks.replay.tally import Tally, tally
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.steps.versions import version_of

PLIMSOLL = "Plimsoll"


@dataclass(frozen=True)
class ReplayedPolicy:
    """Two years, counted.

    Attributes:
        window_days: of Plimsoll's recalibration, and of the opponents that have none of their own.
        months: the outcome of Plimsoll's recalibration at the begin of each.
        tallies: Plimsoll first, then each opponent.
        muted_rows: scored without a channel that had left its training range.
        incidents: raised, by kind.
        drift: days by the verdict on the week that they end.
        took_s: seconds for everything.
    """

    window_days: int
    months: tuple[Month, ...]
    tallies: tuple[Tally, ...]
    muted_rows: int
    incidents: dict[str, int]
    drift: dict[str, int]
    took_s: float


def replay(folder: Path | None, say: Say) -> ReplayedPolicy:
    """Ingest, train, promote, then live through the months; nothing outside `folder` is changed."""
    began = time.perf_counter()
    with deployed(folder):
        spec = story.detector()
        story.load(spec, say)
        story.train(say)
        telemetry = story.telemetry(spec)
        months = story.live_through(spec, telemetry, say)
        rows = judged(spec, telemetry)
        return ReplayedPolicy(
            window_days=spec.recalibration.window_days,
            months=tuple(months),
            tallies=_tallies(spec, rows, [(month.first, month.last) for month in months]),
            muted_rows=int(rows.muted.sum()),
            incidents=dict(story.raised(spec)),
            drift=dict(story.drift_verdicts(spec)),
            took_s=time.perf_counter() - began,
        )


def _tallies(
    spec: DetectorSpec, rows: Judged, months: list[tuple[date, date]]
) -> tuple[Tally, ...]:
    ours = _own_thresholds(spec, rows, months)
    trained = version_of(
        settings.load(), spec.name, int(rows.version[0])
    ).bundle.trained_reference()
    found = [tally(PLIMSOLL, rows, rows.threshold, ours, months)]
    for name, policy in POLICIES.items():
        dated = play(
            policy,
            rows,
            months,
            first=ours[0][1],
            at_training=trained.score.astype(np.float64),
            alpha=spec.threshold.alpha,
            window_days=spec.recalibration.window_days,
        )
        found.append(tally(name, rows, thresholds(dated, rows.timeline.time_ns), dated, months))
    return tuple(found)


def _own_thresholds(
    spec: DetectorSpec, rows: Judged, months: list[tuple[date, date]]
) -> list[DatedThreshold]:
    """The threshold that was live on the first day of each month."""
    known = thresholds_by_version(spec)
    firsts = [np.searchsorted(rows.timeline.time_ns, nanoseconds(first)) for first, _ in months]
    return [
        (first, known[int(rows.version[row])])
        for (first, _), row in zip(months, firsts, strict=True)
    ]
