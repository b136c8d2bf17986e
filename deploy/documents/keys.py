"""One key of a detector file, in words: its type, its limits and its default."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Union

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from deploy.documents.markdown import code
from pipeline.config.family import Fitted
from pipeline.config.operation import Cron, Day
from pipeline.config.section import Days, Duration, Section
from pipeline.config.source import Delimiter, FilesPath
from pipeline.config.zones import Timezone

_ALIASES: tuple[tuple[Any, str], ...] = (
    (Cron, "cron expression, UTC"),
    (Day, "day"),
    (Days, "days"),
    (Delimiter, "one character"),
    (Duration, "duration"),
    (FilesPath, "path"),
    (Timezone, "time zone"),
)
"""Types with a description of their own."""

_PLAIN: dict[Any, str] = {
    bool: "`true` or `false`",
    float: "number",
    int: "whole number",
    str: "text",
}

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        name: its name in a detector file.
        hint: its type, with what is annotated.
        field: pydantic's description of it.
    """

    name: str
    hint: Any
    field: FieldInfo

    @property
    def accepts(self) -> str:
        """The accepted values, in words."""
        return _type(self.hint)

    @property
    def default(self) -> str:
        """The value where the key is absent."""
        if self.field.is_required():
            return "**required**"
        return _value(self.field.get_default(call_default_factory=True))

    @property
    def limits(self) -> str:
        """The bounds of a number, a duration or a list."""
        return ", ".join(_limits(self.field.metadata))

    @property
    def sections(self) -> list[type[Section]]:
        """The sections that are the value, or in the list or mapping that is."""
        return list(_sections(self.hint))


def keys_of(section: type[BaseModel]) -> list[Key]:
    """All keys of a section, in the order of the code."""
    hints = typing.get_type_hints(section, include_extras=True)
    return [
        Key(field.alias or name, hints[name], field) for name, field in section.model_fields.items()
    ]


def _type(hint: Any) -> str:
    named = next((word for alias, word in _ALIASES if hint is alias), None)
    if named or typing.get_origin(hint) is None:
        return named or _PLAIN.get(hint) or "section"
    return _composed(typing.get_origin(hint), typing.get_args(hint))


def _composed(origin: Any, parts: tuple[Any, ...]) -> str:
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return _either(code(str(part)) for part in parts)
    if origin in (Union, types.UnionType):
        return _either(_type(part) for part in parts if part is not types.NoneType)
    if origin is tuple:
        return _list(parts)
    return f"mapping of names, each to a {_type(parts[1])}"


def _list(parts: tuple[Any, ...]) -> str:
    if parts[-1] is not Ellipsis:
        return f"[{', '.join(map(_type, parts))}]"
    return f"list, each {_type(parts[0])}"


def _either(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _sections(hint: Any) -> Iterator[type[Section]]:
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint
    for part in typing.get_args(hint):
        yield from _sections(part)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Fitted):
        return code(f"family: {value.model_dump()['family']}")
    if isinstance(value, BaseModel):
        return "the defaults below"
    return code(_written(value))


def _written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return _span(value)
        case tuple():
            return f"[{', '.join(map(_written, value))}]"
        case float():
            return f"{value:g}"
        case _:
            return str(value) or '""'


def _span(value: timedelta) -> str:
    seconds = value.total_seconds()
    if not seconds:
        return "0"
    size, unit = next(each for each in _UNITS if seconds % each[0] == 0)
    return f"{seconds / size:.0f}{unit}"


def _limits(metadata: Iterable[Any]) -> Iterator[str]:
    for limit in metadata:
        match limit:
            case annotated_types.Gt(gt=bound):
                yield f"above {_written(bound)}"
            case annotated_types.Ge(ge=bound):
                yield f"at least {_written(bound)}"
            case annotated_types.Lt(lt=bound):
                yield f"below {_written(bound)}"
            case annotated_types.Le(le=bound):
                yield f"at most {_written(bound)}"
            case annotated_types.MinLen(min_length=least):
                yield f"at least {least}"
            case _:
                if pattern := getattr(limit, "pattern", None):
                    yield f"matches {code(pattern)}"
