"""Words that YAML reads as true or false where a number belongs: Python counts true as 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.config.names import Location, Problem
from pipeline.config.shown import shown


def problems_of(written: Any, read: Any, at: Location = ()) -> Iterator[Problem]:
    """Each true or false of the file that became something else in the sections."""
    if isinstance(written, bool) and not isinstance(read, bool):
        problem = f"got {shown(written)}, which is no number and no span of time; write one"
        yield at, problem
    elif isinstance(written, list):
        for place, pair in enumerate(zip(written, read, strict=True)):
            yield from problems_of(*pair, (*at, place))
    elif isinstance(written, dict):
        held = _held(read)
        for key, value in written.items():
            yield from problems_of(value, held[key], (*at, key))


def _held(section: Any) -> Mapping[str, Any]:
    """The values of a section, or of a mapping of names, by the keys of the file."""
    if not isinstance(section, BaseModel):
        return dict(section)
    fields = type(section).model_fields
    return {field.alias or name: getattr(section, name) for name, field in fields.items()}
