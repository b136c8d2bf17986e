"""Faults of a channel on all machines at once: no sensor fails on all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.faults import RULES, Faults

_FEWEST_MACHINES = {"implausible_day": 2, "out_of_range": 2, "lost_precision": 1, "too_small": 1}
"""What a change of the unit shows as, and on how many machines at least: of one alone nothing says
whether its sensor or the source changed. What float32 cannot hold is the file's fault, not that of
a sensor."""

_MOST = 0.5  # of a machine's rows: a storm costs a few of all machines


@dataclass(frozen=True)
class PlantFault:
    """A channel that is unfit in most rows of each machine.

    Attributes:
        channel: which one.
        machines: number of machines.
        rule: the rule that the first row broke.
        detail: in words.
    """

    channel: str
    machines: int
    rule: str
    detail: str

    @property
    def reason(self) -> str:
        """Why the day is refused, with the fix."""
        fix = RULES[self.rule].format(feature=self.channel, detail=self.detail)
        shown = "" if fix == self.detail else f" ({self.detail})"
        where = f"all {self.machines} machines" if self.machines > 1 else "the only machine"
        return (
            f"{self.rule.replace('_', ' ')} {self.channel} on {where}{shown}, which is the plant "
            f"or the source and not a sensor; limit: one machine at least has it right: {fix}, "
            "then ingest the day again"
        )


def plant_faults(
    rows: NDArray[np.intp], machine: NDArray[np.intp], columns: Columns, faults: Faults
) -> Iterator[PlantFault]:
    """The channels that are unfit on all machines.

    Args:
        rows: the rows of one day with a machine and a measurement, by position.
        machine: code of each of `rows`.
        columns: the channels.
        faults: which cells broke which rule.
    """
    codes, each = np.unique(machine, return_inverse=True)
    rules = [rule for rule, least in _FEWEST_MACHINES.items() if least <= len(codes)]
    size = np.bincount(each, minlength=len(codes))
    for name in columns.features:
        held = faults.cells.get(name)
        if held is None:
            continue
        struck = held.broke(*rules, rows=rows)
        if struck.any() and (np.bincount(each[struck], minlength=len(codes)) > _MOST * size).all():
            first = rows[struck][:1]
            rule = str(held.rules_of(first)[0])
            yield PlantFault(name, len(codes), rule, str(held.detail[first[0]]))
