"""What every section of a detector file has in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


class Section(BaseModel):
    """A frozen part of a detector file; a key that is not declared is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


def _parse_duration(value: object) -> object:
    """A span such as `10min`; what is already a timedelta or ISO 8601 (`PT10M`) passes through."""
    if not isinstance(value, str) or value.startswith("P"):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", value.strip())
    if match is None:
        msg = f"got {value!r}, which is no span of time; write for example 30s, 10min, 3h or 2d"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


Duration = Annotated[timedelta, BeforeValidator(_parse_duration)]


def kind_unless_named(key: str, default: str) -> BeforeValidator:
    """Lets a section that does not name its kind under `key` be of the `default` one."""

    def named(section: object) -> object:
        if isinstance(section, Mapping) and key not in section:
            return {key: default, **section}
        return section

    return BeforeValidator(named)
