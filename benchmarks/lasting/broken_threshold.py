"""How soon is a threshold that no longer holds told, and how often is one that holds?

`python -m benchmarks.lasting.broken_threshold`. Made scores: waves of first order, a threshold from
90 days of them, 18 months without any change, and shifts after which a given share of rows is
flagged. Spans and limits of `pipeline.evaluation.flag_share` were chosen on seeds 0 to 11. Then a
station on a river (`../shared/bench/lro`) as it is operated, with its first version.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks.lasting.blacksmith_fork import FIRST, absent, station_days
from benchmarks.lasting.eight_channels import trained
from benchmarks.lasting.intervals import ALPHA, waves
from benchmarks.lasting.station_life import YOUNG, first_days, scored_station
from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Mask, Timeline, subset
from pipeline.detector.thresholds.coverage import conformal_rank
from pipeline.evaluation.flag_share import (
    AGAIN_NS,
    ShareOutside,
    risen_since,
    shares_outside,
)
from pipeline.store.thresholds import RecordedThreshold
from pipeline.utc_day import DAY_NS

SEEDS = range(100, 120)
MONTHS_DAYS = 548  # 18 months
SHARES = (0.05, 0.12, 0.5, 0.88, 0.999)
_HOUR_NS = DAY_NS // 24
_QUIET_DAYS, _SHIFTED_DAYS = 20, 25
_SHIFTS = 3  # of each size and seed


@dataclass(frozen=True)
class MadeWaves:
    """A kind of scores.

    Attributes:
        rho: correlation of a row with the next one.
        minutes: the cadence.
        machines: independent ones.
        days: of calibration.
    """

    rho: float
    minutes: int = 10
    machines: int = 1
    days: int = 90

    @property
    def rows_a_day(self) -> int:
        """Of one machine."""
        return 24 * 60 // self.minutes

    def timeline(self, days: int) -> Timeline:
        """Of all machines."""
        cadence = self.minutes * 60 * 1_000_000_000
        time = np.arange(days * self.rows_a_day, dtype=np.int64) * cadence
        entity = np.repeat(np.arange(self.machines, dtype=np.intp), len(time))
        names = tuple(str(number) for number in range(self.machines))
        return Timeline(np.tile(time, self.machines), entity, names, cadence)


SETTINGS = (
    MadeWaves(0.0),
    MadeWaves(0.9),
    MadeWaves(0.9, days=30),
    MadeWaves(0.0, minutes=15),
    MadeWaves(0.9, minutes=15),
    MadeWaves(0.9, machines=4),
)


@dataclass(frozen=True)
class LivedWaves:
    """What came of one seed.

    Attributes:
        false: times it was told without a change, in 18 months.
        hours: of data from the change until it was told, by share; None: not in 25 days.
    """

    false: int
    hours: dict[float, tuple[float | None, ...]]


def lived(setting: MadeWaves, seed: int) -> LivedWaves:
    """Live through 18 quiet months, and through shifts."""
    random = np.random.default_rng([seed, round(100 * setting.rho), setting.minutes])
    score = waves(random, setting.rho, setting.days * setting.rows_a_day)
    alone = MadeWaves(setting.rho, setting.minutes).timeline(setting.days)
    worth = effective_rows(score, alone)
    threshold = float(np.sort(score)[conformal_rank(len(score), ALPHA) - 1])
    promise = RecordedThreshold(ALPHA, len(score), worth, None)
    quiet = _scores(random, setting, MONTHS_DAYS) > threshold
    end = MONTHS_DAYS * DAY_NS
    found = shares_outside(
        quiet.ravel(), setting.timeline(MONTHS_DAYS), promise, first_ns=0, end_ns=end
    )
    hours = {
        share: tuple(_told(random, setting, threshold, promise, share) for _ in range(_SHIFTS))
        for share in SHARES
    }
    return LivedWaves(sum(1 for _ in occurrences(tuple(found))), hours)


def occurrences(outside: Sequence[ShareOutside]) -> Iterator[tuple[ShareOutside, ShareOutside]]:
    """First and last of the shares outside that follow each other without two quiet days."""
    first = before = None
    for each in outside:
        if before is not None and first is not None and each.at_ns - before.at_ns >= AGAIN_NS:
            yield first, before
            first = None
        first, before = first or each, each
    if first is not None and before is not None:
        yield first, before


def _scores(random: np.random.Generator, setting: MadeWaves, days: int) -> np.ndarray:
    rows = days * setting.rows_a_day
    return np.stack([waves(random, setting.rho, rows) for _ in range(setting.machines)])


def _told(
    random: np.random.Generator,
    setting: MadeWaves,
    threshold: float,
    promise: RecordedThreshold,
    share: float,
) -> float | None:
    """Hours from a change, at any time of a day, until it is told."""
    days = _QUIET_DAYS + _SHIFTED_DAYS
    onset = _QUIET_DAYS * setting.rows_a_day + int(random.integers(setting.rows_a_day))
    score = _scores(random, setting, days)
    score[:, onset:] += norm.ppf(1 - ALPHA) - norm.ppf(1 - share)
    begin = onset * setting.minutes * 60 * 1_000_000_000
    flagged, timeline = (score > threshold).ravel(), setting.timeline(days)
    found = shares_outside(flagged, timeline, promise, first_ns=begin, end_ns=days * DAY_NS)
    first = next(found, None)
    return None if first is None else (first.at_ns - begin) / _HOUR_NS


def row(setting: MadeWaves, seeds: Sequence[LivedWaves]) -> str:
    """A row of the Markdown table."""
    false = [each.false for each in seeds]
    cells = [
        f"rho {setting.rho}, {setting.minutes} min, {setting.days} days"
        + f", {setting.machines} machines" * (setting.machines > 1),
        f"{np.mean(false):.2f} (worst seed {max(false)})",
    ]
    for share in SHARES:
        held = [hours for each in seeds for hours in each.hours[share]]
        known = [np.inf if hours is None else hours for hours in held]
        middle, most = (np.quantile(known, at, method="higher") for at in (0.5, 0.9))
        cells.append(f"{_hours(float(middle))} ({_hours(float(most))})")
    return f"| {' | '.join(cells)} |"


def _hours(hours: float) -> str:
    return "not told" if np.isinf(hours) else f"{hours:.0f}"


def station() -> Iterator[str]:
    """When the first version of a young station is told, as operated."""
    days = station_days()
    with tempfile.TemporaryDirectory() as scratch:
        frame = days.telemetry[first_days(days)].reset_index(drop=True)
        version = trained(frame, days.spec, Path(scratch) / "first")
        scored = scored_station(version.bundle, days.telemetry, days.spec)
    threshold = version.bundle.description.threshold
    known: Mask = np.isfinite(scored.rows.score)
    flagged = (scored.rows.score > threshold.value)[known]
    kept = subset(scored.rows.timeline, known)
    first, end = int(kept.time_ns.min()), int(kept.time_ns.max()) + DAY_NS
    found = tuple(shares_outside(flagged, kept, threshold, first_ns=first, end_ns=end))
    yield (
        f"Blacksmith Fork, trained on {FIRST} and {YOUNG.days - 1} more days: worth "
        f"{threshold.n_effective:.0f} of {threshold.n:,} rows"
    )
    for begun, last in occurrences(found):
        since = risen_since(flagged, kept, threshold, at_ns=begun.at_ns)
        yield (
            f"told {_at(begun.at_ns)}, since {_at(since)} "
            f"({(begun.at_ns - since) / _HOUR_NS:.0f} hours of data), until {_at(last.at_ns)}: "
            f"{begun.share:.0%} of {begun.rows} rows, at most {begun.most:.0%} would agree"
        )


def _at(time_ns: int) -> str:
    return f"{pd.Timestamp(time_ns):%Y-%m-%d %H:%M}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of made scores, and the times of the station."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of them")
    given = asked.parse_args(arguments)
    heads = ["scores", "told without a change in 18 months"]
    heads += [f"hours to {share:.0%}: median (nine in ten)" for share in SHARES]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for setting in SETTINGS:
        print(row(setting, [lived(setting, seed) for seed in SEEDS[: given.seeds]]), flush=True)
    print(f"\nYoung station: skipped, {why}" if (why := absent()) else "\n".join(["", *station()]))


if __name__ == "__main__":
    main()
