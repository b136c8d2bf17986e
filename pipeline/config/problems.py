"""Checks of a whole file, once its sections are read: its spans of time, and misread words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from pipeline.config.columns import Columns
from pipeline.config.names import Location, Problem
from pipeline.config.shown import shown
from pipeline.utc_day import ONE_DAY

_SHORTEST = timedelta(milliseconds=1)


def span_problems(columns: Columns) -> Iterator[Problem]:
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


def truth_problems(written: Any, read: Any, at: Location = ()) -> Iterator[Problem]:
    """Each true or false of the file that became something else in the sections."""
    if isinstance(written, bool) and not isinstance(read, bool):
        problem = f"got {shown(written)}, which is no number and no span of time; write one"
        yield at, problem
    elif isinstance(written, list):
        for place, pair in enumerate(zip(written, read, strict=True)):
            yield from truth_problems(*pair, (*at, place))
    elif isinstance(written, dict):
        held = _held(read)
        for key, value in written.items():
            yield from truth_problems(value, held[key], (*at, key))


def _held(section: Any) -> Mapping[str, Any]:
    """The values of a section, or of a mapping of names, by the keys of the file."""
    if not isinstance(section, BaseModel):
        return dict(section)
    fields = type(section).model_fields
    return {field.alias or name: getattr(section, name) for name, field in fields.items()}
