"""The base class and the types of all sections of a detector file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.config.shown import shown

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)
"""Sums of two such spans and any date still fit the 64 bits that times are held in."""


class Section(BaseModel):
    """A frozen part of a detector file; a key that is not declared is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


def _parse_duration(value: object) -> object:
    """A span such as `10min`; what is already a timedelta or ISO 8601 (`PT10M`) passes through."""
    if not isinstance(value, str) or value.startswith("P"):
        return value
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|h|d)", value.strip())
    if match is None:
        msg = f"got {shown(value)}, which is no span of time; write for example 30s, 10min, 3h or "
        raise ValueError(msg + "2d")
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ValueError(_too_long(value)) from None


def _refuse_ages(value: timedelta) -> timedelta:
    if value > _LONGEST:
        raise ValueError(_too_long(value))
    return value


def _too_long(value: object) -> str:
    text = shown(str(value))
    return f"got {text}; limit {_LONGEST.days:,} days (a century): write a shorter span"


Duration = Annotated[timedelta, BeforeValidator(_parse_duration), AfterValidator(_refuse_ages)]

Days = Annotated[int, Field(le=365_000)]
"""A number of days that can be counted back from any day: a thousand years at most."""


def kind_unless_named(key: str, default: str) -> BeforeValidator:
    """A validator: a section without its kind under `key` is of the `default` kind."""

    def named(section: object) -> object:
        if isinstance(section, Mapping) and key not in section:
            return {key: default, **section}
        return section

    return BeforeValidator(named)
