"""The precision of float32, in which telemetry and networks hold numbers. Pure.

Seven digits are enough for a measurement, unless it is added to a large number: of 1e9 plus noise
of 1 float32 keeps nothing at all. Such a channel has its `offset` subtracted while it is still
float64; without one it is refused, and nothing that float32 cannot hold is stored as infinite or as
0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.faults import Faults, Mask

Values = NDArray[np.float64]

MOST_LOST = 0.01
"""Share of the spread that rounding may cost a channel, as a root mean square."""

CONSTANT = 1e-14
"""Share of its level: a channel that moves less is constant but for the noise of float64."""

_NO_UNIT = ("1", "unknown")
_LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Resolution:
    """The resolution with which float32 holds the values of one channel.

    Attributes:
        level: median of the values, as they were measured.
        spread: their standard deviation.
        step: how far apart float32 numbers are where the stored values lie.
        lost: root mean square of what rounding changes.
    """

    level: float
    spread: float
    step: float
    lost: float

    @property
    def enough(self) -> bool:
        """Whether rounding costs no more than 1 % of the spread, or there is no spread."""
        if self.spread <= CONSTANT * abs(self.level):
            return True
        return self.lost <= MOST_LOST * self.spread and self.spread >= _SMALLEST

    @property
    def offset(self) -> float:
        """A round number near the level, near enough that float32 holds the rest."""
        digits = -int(np.floor(np.log10(self.spread))) - 1
        return float(round(self.level, digits))


def in_float32(values: Values, offset: float) -> NDArray[np.float32]:
    """`values` less `offset` as they are stored; beyond float32 they are infinite."""
    with np.errstate(over="ignore"):
        return (values - offset if offset else values).astype(np.float32)


def too_large(values: Values, offset: float) -> Mask:
    """Finite values that float32 would hold as infinite."""
    return np.isfinite(values) & np.isinf(in_float32(values, offset))


def too_small(values: Values, offset: float) -> Mask:
    """Values that float32 would hold as 0, although they are not."""
    lost: Mask = (in_float32(values, offset) == 0) & (values != offset)
    return lost


def resolution(values: Values, offset: float) -> Resolution:
    """The resolution of `values` in float32; at least one value, all of them finite in float32."""
    stored = in_float32(values, offset)
    away = values - offset - stored.astype(np.float64)
    at = np.float32(np.median(np.abs(stored)))
    return Resolution(
        level=float(np.median(values)),
        spread=float(values.std()),
        step=float(np.spacing(at)),
        lost=float(np.sqrt(np.mean(away**2))),
    )


def imprecise_text(name: str, unit: str, found: Resolution) -> str:
    """The message about a channel that float32 holds too coarsely, with the fix."""
    unit = "" if unit in _NO_UNIT else f" {unit}"
    if found.spread < _SMALLEST:
        return (
            f"{name} moves by {found.spread:.3g}{unit} (standard deviation); limit "
            f"{_SMALLEST:.3g}, the smallest number that float32 holds with all its digits: deliver "
            f"{name} in a smaller unit"
        )
    return (
        f"{name} lies at {found.level:.15g}{unit} and moves by {found.spread:.3g} (standard "
        f"deviation), where float32 holds one number in {found.step:.3g}: rounding is "
        f"{found.lost / found.spread:.0%} of the spread, limit {MOST_LOST:.0%}: set offset: "
        f"{_plain(found.offset)} in schema.features.{name}"
    )


def check_range(numbers: pd.DataFrame, columns: Columns, faults: Faults) -> None:
    """Report every value of `numbers` (float64 features, n rows) that float32 cannot hold."""
    for name, feature in columns.features.items():
        if feature.circular:
            continue
        values = numbers[name].to_numpy()
        large = np.flatnonzero(too_large(values, feature.offset))
        limit = f"limit {_LARGEST:.2g}, as float32 holds no more"
        details = [f"{name} is {value:g} {feature.unit}; {limit}" for value in values[large]]
        faults.add(large, "not_finite", name, details)
        small = np.flatnonzero(too_small(values, feature.offset))
        limit = f"limit {_SMALLEST:.2g} or 0, as float32 holds nothing between them for certain"
        details = [f"{name} is {value:g} {feature.unit}; {limit}" for value in values[small]]
        faults.add(small, "too_small", name, details)


def check_precision(
    numbers: pd.DataFrame, key: pd.DataFrame, columns: Columns, faults: Faults
) -> None:
    """Report the days of a machine on which float32 would lose more of a channel than allowed.

    Args:
        numbers: float64 features, n rows.
        key: `day` and `machine` (codes) of each row.
        columns: the channels, their units and offsets.
        faults: receives the faults; rows and cells that broke a rule before are not counted.
    """
    rows = np.flatnonzero(~faults.rejected)
    if not len(rows):
        return
    group = key.iloc[rows].groupby(["day", "machine"]).ngroup().to_numpy().astype(np.intp)
    for name, feature in columns.features.items():
        if feature.circular:
            continue
        values = numbers[name].to_numpy()[rows]
        present = ~np.isnan(values) & ~faults.cell(name)[rows]
        coarse = np.isin(group, _coarse(values[present], group[present], feature.offset))
        for members in _by_group(np.flatnonzero(coarse), group):
            found = resolution(values[members][present[members]], feature.offset)
            if not found.enough:
                faults.add(
                    rows[members], "lost_precision", name, imprecise_text(name, feature.unit, found)
                )


def _by_group(rows: NDArray[np.intp], group: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """`rows` sorted out by their group."""
    if not len(rows):
        return []
    ordered = rows[np.argsort(group[rows], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(group[ordered])) + 1)


def _coarse(values: Values, group: NDArray[np.intp], offset: float) -> NDArray[np.intp]:
    """The groups that may be held too coarsely; nearly always none, whatever their number."""
    away = values - offset - in_float32(values, offset).astype(np.float64)
    count = np.maximum(np.bincount(group), 1)
    mean = np.bincount(group, weights=values) / count
    spread = np.sqrt(np.bincount(group, weights=(values - mean[group]) ** 2) / count)
    lost = np.sqrt(np.bincount(group, weights=away**2) / count)
    moves = spread > CONSTANT * np.abs(mean)
    return np.flatnonzero(moves & ((lost > MOST_LOST * spread) | (spread < _SMALLEST)))


def _plain(number: float) -> str:
    """A number as YAML reads it."""
    return f"{number:.0f}" if number.is_integer() else repr(number)
