"""The faults that machines really have: one function and one entry in FAULTS each.

A fault rewrites the raw values of one channel (`pipeline.data.channels`); all features derived from
the channel follow, so that the network sees what it would see in the plant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.data.channels import Values


@dataclass(frozen=True)
class Healthy:
    """Episodes of one channel before the fault; angles in radians.

    Attributes:
        values: shape (episodes, rows).
        partner: another channel of the same kind at the same time, same shape.
        scale: standard deviation of the channel.
        furthest: the largest possible error: pi for an angle.
        sign: +1 or -1 for each episode, shape (episodes, 1).
    """

    values: Values
    partner: Values
    scale: float
    furthest: float
    sign: Values

    def reach(self, size: float) -> float:
        """`size` standard deviations, in the channel's unit."""
        return min(size * self.scale, self.furthest)


Apply = Callable[[Healthy, float], Values]


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault and the sizes that are injected, smallest first.

    Attributes:
        apply: the faulty values, given the healthy ones and the size.
        unit: unit of the sizes; empty where a fault has no size.
        sizes: grades a factor of about 1.5 apart, so that one grade is within sampling noise.
        rows: length of an episode in rows; None: the size itself is a number of rows.
        suits_angles: whether the fault makes sense for an angle.
        two_channels: whether the partner receives this channel's values in turn.
    """

    apply: Apply
    unit: str
    sizes: tuple[float, ...]
    rows: int | None = 6
    suits_angles: bool = True
    two_channels: bool = False


def spike(healthy: Healthy, size: float) -> Values:
    """One row in the middle jumps by `size` standard deviations."""
    jump = np.zeros_like(healthy.values)
    jump[:, jump.shape[1] // 2] = healthy.reach(size)
    return healthy.values + healthy.sign * jump


def drift(healthy: Healthy, size: float) -> Values:
    """A ramp that ends `size` standard deviations away."""
    ramp = np.linspace(0, healthy.reach(size), healthy.values.shape[1] + 1)[1:]
    return healthy.values + healthy.sign * ramp


def stuck(healthy: Healthy, _size: float) -> Values:
    """The first value is repeated."""
    return np.repeat(healthy.values[:, :1], healthy.values.shape[1], axis=1)


def swap(healthy: Healthy, _size: float) -> Values:
    """Another channel's values arrive under this name: crossed wires."""
    return healthy.partner


def unit_change(healthy: Healthy, size: float) -> Values:
    """Every value is `size` times too large: km/h for m/s, W for kW."""
    return healthy.values * size


def dropout(healthy: Healthy, _size: float) -> Values:
    """The value is zero: a dead transmitter."""
    return np.zeros_like(healthy.values)


_SIGMAS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)

FAULTS: dict[str, FaultKind] = {
    "spike": FaultKind(spike, "sd", _SIGMAS),
    "drift": FaultKind(drift, "sd", _SIGMAS),
    "unit change": FaultKind(unit_change, "times", (1.5, 2.0, 3.6, 10.0), suits_angles=False),
    "stuck": FaultKind(stuck, "rows", (6.0, 12.0, 18.0, 36.0), rows=None),
    "swap": FaultKind(swap, "", (1.0,), two_channels=True),
    "dropout": FaultKind(dropout, "", (1.0,)),
}
