"""Checks of spans of time, for a detector that runs by UTC days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pipeline.config.columns import Columns
from pipeline.config.names import Problem
from pipeline.utc_day import ONE_DAY

_SHORTEST = timedelta(milliseconds=1)


def problems_of(columns: Columns) -> Iterator[Problem]:
    """Each span of `columns` with which no day could be validated."""
    if columns.cadence > ONE_DAY:
        problem = (
            f"got {columns.cadence}; limit 1d: each partition is a UTC day and must hold a row"
        )
        yield ("schema", "cadence"), f"{problem}; write 1d, and deliver one row a day"
    if columns.cadence < _SHORTEST:
        problem = f"got {columns.cadence}; limit 1 ms: a day would hold more rows than memory"
        yield ("schema", "cadence"), f"{problem}; deliver fewer, and write for example 1s"
    for name, feature in columns.features.items():
        if feature.stuck_after is not None and feature.stuck_after <= timedelta(0):
            problem = f"got {feature.stuck_after}; limit: above 0; write a span such as 3h"
            yield (
                ("schema", "features", name, "stuck_after"),
                f"{problem}, or remove the key: never",
            )
