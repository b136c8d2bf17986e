"""The mistakes in a detector file, for the person who wrote it: line, key, value, fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.config.detector import DetectorSpec
from pipeline.config.shown import cut, shown
from pipeline.config.yaml_text import Mistake, raw_text, read_as

Location = tuple[int | str, ...]

_LONGEST_KEY = 60


def explain(root: yaml.Node, error: ValidationError) -> Iterator[Mistake]:
    """Each mistake that pydantic found."""
    for detail in error.errors(include_url=False):
        location = _in_the_file(root, detail["loc"], absent=detail["type"] == "missing")
        yield located(root, location, _problem(detail, root, location))


def located(root: yaml.Node, location: Location, problem: str) -> Mistake:
    """A problem with what the file has at `location`."""
    key = ".".join(cut(str(part)) for part in location) or "the file"
    return Mistake(_line(root, location), key, problem)


_KEYS = "its keys are needed, each with a value: write them below it"
_DAY = "this is no day; write one as 2026-01-31"
_NEEDED = {
    "tuple_type": "a list is needed, in brackets: [first, second]",
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
}
"""pydantic's messages in Python's terms -> messages in the file's terms."""


def _problem(detail: ErrorDetails, root: yaml.Node, location: Location) -> str:
    name = str(detail["loc"][-1]) if detail["loc"] else "the file"
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key (value {shown(value)}); {_nearest_key(detail['loc'])}"
        case "missing":
            return f"is required and absent; add `{name}: ...`"
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case "string_type":
            return _no_text(value, _node(root, location), location)
        case _:
            return _refused(detail)


def _refused(detail: ErrorDetails) -> str:
    """The message about a value by itself."""
    value, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "union_tag_not_found":
            return "names no kind; add `kind: ...` to it"
        case "union_tag_invalid" | "literal_error":
            expected = context.get("expected_tags") or context.get("expected")
            return f"got {_shown_kind(value)}; choose one of {expected}"
        case kind if kind in _NEEDED:
            return f"got {shown(value)}; {_NEEDED[kind]}"
        case _:
            limit = detail["msg"].removeprefix("Input ")
            return f"got {shown(value)}; {limit}: change the value"


def _shown_kind(value: object) -> str:
    return shown(value["kind"] if isinstance(value, dict) and "kind" in value else value)


def _no_text(value: object, node: yaml.Node | None, location: Location) -> str:
    """The message about a value that should be a text."""
    raw, kind = raw_text(node), read_as(node)
    if raw is None or kind is None:
        return f"got {shown(value)}; a text is needed: write one, in quotes where it has signs"
    if not raw:
        return "is empty; write a text, or remove the key"
    quoted = f'"{cut(raw)}"'
    fix = quoted if isinstance(location[-1], int) else f"{cut(location[-1])}: {quoted}"
    return f"got {cut(raw)}, which YAML reads as {kind}; write it in quotes: {fix}"


def _nearest_key(location: Location) -> str:
    allowed = sorted(_allowed_keys(location[:-1]))
    key = str(location[-1])
    # No key is so long, and to compare a word of a megabyte takes minutes.
    close = difflib.get_close_matches(key[:_LONGEST_KEY], allowed, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"remove it; known keys are {', '.join(allowed)}"


def _allowed_keys(location: Location) -> set[str]:
    """The keys of the section at `location`, found by walking the models down the same path."""
    sections: list[type[BaseModel]] = [DetectorSpec]
    for part in location:
        fields = [
            field
            for section in sections
            for name, field in section.model_fields.items()
            if part in (name, field.alias)
        ]
        inner = [m for field in fields for m in _models_in(field.annotation)]
        # A union tag, a list index or a mapping's own key is no field: stay where we are.
        tagged = [m for m in sections if part in _tags(m)]
        sections = inner or tagged or sections
    return {field.alias or name for s in sections for name, field in s.model_fields.items()}


def _tags(model: type[BaseModel]) -> tuple[object, ...]:
    field = model.model_fields.get("kind")
    return getattr(field.annotation, "__args__", ()) if field else ()


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _in_the_file(root: yaml.Node | None, location: Location, *, absent: bool) -> Location:
    """`location` without the parts that pydantic adds and the file does not have: tags, validators.

    Its last part is that of a key which the file lacks, if one is `absent`.
    """
    kept: list[int | str] = []
    node = root
    for position, part in enumerate(location):
        child = _child(node, part)
        is_last = position == len(location) - 1
        if child is None and not (is_last and absent) and node is not None:
            continue
        kept.append(part)
        node = child
    return tuple(kept)


def _line(root: yaml.Node | None, location: Location) -> int:
    """Line (from 1) of the deepest part of `location` that the file has."""
    line, node = 1, root
    for part in location:
        key, node = _pair(node, part)
        if node is None:
            break
        # A section begins on the line of its key, whichever line its first content is on.
        line = (key or node).start_mark.line + 1
    return line


def _node(root: yaml.Node | None, location: Location) -> yaml.Node | None:
    """The node of the file at `location`; None when there is none."""
    node = root
    for part in location:
        node = _child(node, part)
    return node


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    return _pair(node, part)[1]


def _pair(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node | None, yaml.Node | None]:
    """The key (None in a list) and the value of a part of `node`."""
    if isinstance(node, yaml.MappingNode):
        return next(((k, v) for k, v in node.value if k.value == part), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None, None
