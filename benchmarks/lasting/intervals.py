"""How often the 95 % interval of a threshold's rate holds the true rate, wave by wave.

Effective rows were chosen on seeds 1 to 5 (`pipeline.data.effective_rows`); this reports on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from benchmarks.operation.rows import Row
from pipeline.data.effective_rows import effective_rows
from pipeline.data.timeline import Timeline, autocorrelation
from pipeline.detector.thresholds.coverage import clopper_pearson, conformal_rank, rate_interval

ALPHA = 0.01
SEED = 2027
A_DAY = 144
_CADENCE_NS = 600_000_000_000
_BURN_IN = 5000
_NOISE = 0.01  # of a mean width

Vector = NDArray[np.float64]


class SampledRows(NamedTuple):
    """Values of n rows, their timeline, and the true share of rows above any value."""

    values: Vector
    timeline: Timeline
    above: Callable[[float], float]


Sampler = Callable[[np.random.Generator], SampledRows]


@dataclass(frozen=True)
class Cell:
    """A kind of wave.

    Attributes:
        name: what it is.
        sample: one trial.
        asked: least share of trials in which the interval must hold.
        narrow: whether it must be no wider than by the correlation with the next row.
    """

    name: str
    sample: Sampler
    asked: float = 0.9
    narrow: bool = False


@dataclass(frozen=True)
class Coverage:
    """The result of a cell.

    Attributes:
        cell: the cell.
        trials: number of trials.
        held: trials in which the interval held the true rate.
        worth: median effective rows, of `rows`.
        rows: rows of a trial.
        width: mean width over that of the interval by the correlation with the next row.
        held_before: trials in which that one held.
    """

    cell: Cell
    trials: int
    held: int
    worth: float
    rows: int
    width: float
    held_before: int

    @property
    def reached(self) -> bool:
        """Whether what is asked of the cell was reached; a percent of width is noise."""
        return self.held >= self.cell.asked * self.trials and (
            not self.cell.narrow or self.width <= 1 + _NOISE
        )


def waves(random: np.random.Generator, rho: float, n: int) -> Vector:
    """A wave of first order with variance 1."""
    noise = random.standard_normal(n + _BURN_IN) * np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise)[_BURN_IN:])


def timeline(places: NDArray[np.int64], machines: int = 1) -> Timeline:
    """The rows of each machine at the same multiples of ten minutes."""
    return Timeline(
        np.tile(places * _CADENCE_NS, machines),
        np.repeat(np.arange(machines, dtype=np.intp), len(places)),
        tuple("ABCDEFGH"[:machines]),
        _CADENCE_NS,
    )


def first_order(rho: float, n: int) -> Sampler:
    """A wave of first order; independent rows where rho is 0."""
    return lambda random: SampledRows(waves(random, rho, n), timeline(np.arange(n)), _gaussian)


def slow(share: float, rho: float, n: int) -> Sampler:
    """A slow wave with this share of the variance, under noise."""

    def sampled(random: np.random.Generator) -> SampledRows:
        values = np.sqrt(share) * waves(random, rho, n)
        values += np.sqrt(1 - share) * random.standard_normal(n)
        return SampledRows(values, timeline(np.arange(n)), _gaussian)

    return sampled


def levels_of_days(share: float, days: int) -> Sampler:
    """Every sixth day, each with a level of its own; within a day rho is 0.5."""

    def sampled(random: np.random.Generator) -> SampledRows:
        places = (np.arange(days)[:, None] * 6 * A_DAY + np.arange(A_DAY)).ravel()
        within = np.concatenate([waves(random, 0.5, A_DAY) for _ in range(days)])
        level = np.repeat(random.standard_normal(days), A_DAY)
        values = np.sqrt(share) * level + np.sqrt(1 - share) * within
        return SampledRows(values, timeline(places), _gaussian)

    return sampled


def daily(amplitude: float, rho: float, n: int) -> Sampler:
    """A daily wave of this amplitude on a wave of first order."""
    phase = amplitude * np.sin(2 * np.pi * np.arange(A_DAY) / A_DAY)

    def sampled(random: np.random.Generator) -> SampledRows:
        values = waves(random, rho, n) + phase[np.arange(n) % A_DAY]
        return SampledRows(
            values, timeline(np.arange(n)), lambda value: float(norm.sf(value - phase).mean())
        )

    return sampled


def four_machines(share: float, rho: float, days: int, every: int) -> Sampler:
    """Four machines under one weather, which has this share of the variance."""

    def sampled(random: np.random.Generator) -> SampledRows:
        places = (np.arange(days)[:, None] * every * A_DAY + np.arange(A_DAY)).ravel()
        weather = waves(random, rho, int(places[-1]) + 1)[places]
        each = [
            np.sqrt(share) * weather + np.sqrt(1 - share) * random.standard_normal(len(places))
            for _ in range(4)
        ]
        return SampledRows(np.concatenate(each), timeline(places, 4), _gaussian)

    return sampled


def cells() -> tuple[Cell, ...]:
    """The cells of the report: fifteen days and 139 days of ten-minute rows."""
    found: list[Cell] = []
    for n in (2160, 20_000):
        found += [
            Cell(f"independent, {n:,} rows", first_order(0.0, n), narrow=True),
            Cell(f"first order 0.5, {n:,} rows", first_order(0.5, n)),
            Cell(f"first order 0.9, {n:,} rows", first_order(0.9, n), narrow=True),
            Cell(f"first order 0.99, {n:,} rows", first_order(0.99, n)),
            Cell(f"30 % slow wave 0.99, {n:,} rows", slow(0.3, 0.99, n)),
            Cell(f"30 % slow wave 0.995, {n:,} rows", slow(0.3, 0.995, n)),
            Cell(f"50 % slow wave 0.99, {n:,} rows", slow(0.5, 0.99, n)),
            Cell(f"50 % slow wave 0.995, {n:,} rows", slow(0.5, 0.995, n), asked=0.8),
        ]
    return (
        *found,
        Cell("levels of days 40 %, 15 days", levels_of_days(0.4, 15)),
        Cell("daily wave, 15 days", daily(1.0, 0.0, 2160)),
        Cell("daily wave on first order 0.5, 15 days", daily(1.0, 0.5, 2160)),
        Cell("four machines, weather 30 % 0.98, every sixth day", four_machines(0.3, 0.98, 15, 6)),
        Cell(
            "four machines, weather 30 % 0.995, every sixth day", four_machines(0.3, 0.995, 15, 6)
        ),
        Cell("four machines, weather 30 % 0.98, 15 days", four_machines(0.3, 0.98, 15, 1)),
    )


def cells_by_name() -> tuple[str, ...]:
    """The names of all cells, which travel between processes where functions do not."""
    return tuple(cell.name for cell in cells())


def cell_named(name: str) -> Cell:
    """The cell with this name."""
    return next(cell for cell in cells() if cell.name == name)


def coverage(cell: Cell, trials: int, seed: int = SEED) -> Coverage:
    """Run a cell."""
    random = np.random.default_rng([seed, sum(cell.name.encode())])
    held = before = n = 0
    worth, widths, former = [], [], []
    for _ in range(trials):
        sampled = cell.sample(random)
        n = len(sampled.values)
        rank = conformal_rank(n, ALPHA)
        true = sampled.above(float(np.sort(sampled.values)[rank - 1]))
        share = (n + 1 - rank) / (n + 1)
        worth.append(effective_rows(sampled.values, sampled.timeline))
        low, high = rate_interval(share, worth[-1])
        rho = autocorrelation(sampled.values, sampled.timeline)
        low_before, high_before = rate_interval(share, max(1.0, n * (1 - rho) / (1 + rho)))
        held += low <= true <= high
        before += low_before <= true <= high_before
        widths.append(high - low)
        former.append(high_before - low_before)
    return Coverage(
        cell,
        trials,
        held,
        float(np.median(worth)),
        n,
        float(np.mean(widths) / np.mean(former)),
        before,
    )


def row(found: Coverage) -> Row:
    """One row of the report."""
    share, asked = found.held / found.trials, found.cell.asked
    low, high = clopper_pearson(share, found.trials)
    return Row(
        found.cell.name,
        f">= {asked:.0%}" + (", no wider" if found.cell.narrow else ""),
        f"{share:.1%} ({low:.0%}-{high:.0%})",
        found.reached,
        f"{found.rows:,} rows worth {found.worth:,.0f}; {found.width:.2f} x as wide as by the next "
        f"row, which holds in {found.held_before / found.trials:.0%}",
    )


def _gaussian(value: float) -> float:
    return float(norm.sf(value))
