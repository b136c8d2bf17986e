"""A pydantic error, told to the person who wrote the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.config.detector import DetectorSpec

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]


def explain(path: Path, root: yaml.Node | None, error: ValidationError) -> Iterator[str]:
    """One line a mistake: file, line, key, value, what is allowed, and what to do."""
    for detail in error.errors(include_url=False):
        location = _in_the_file(root, detail["loc"])
        key = ".".join(str(part) for part in location) or "the file"
        yield f"{path}:{_line(root, location)}: {key}: {_problem(detail)}"


def _problem(detail: ErrorDetails) -> str:
    name = str(detail["loc"][-1]) if detail["loc"] else "the file"
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key (value {detail['input']!r}); {_nearest_key(detail['loc'])}"
        case "missing":
            return f"is required and absent; add `{name}: ...`"
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case "union_tag_invalid" | "literal_error" | "union_tag_not_found":
            expected = detail.get("ctx", {}).get("expected_tags") or detail.get("ctx", {}).get(
                "expected", "a `kind`"
            )
            return f"got {_shown(detail['input'])}; choose one of {expected}"
        case _:
            limit = detail["msg"].removeprefix("Input ")
            return f"got {_shown(detail['input'])}; {limit}: change the value"


def _shown(value: object) -> str:
    if isinstance(value, dict) and "kind" in value:
        value = value["kind"]
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - fits one line


def _nearest_key(location: Location) -> str:
    allowed = sorted(_allowed_keys(location[:-1]))
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
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


def _in_the_file(root: yaml.Node | None, location: Location) -> Location:
    """`location` without the union tags that pydantic adds and the file does not have."""
    kept: list[int | str] = []
    node = root
    for position, part in enumerate(location):
        child = _child(node, part)
        is_last = position == len(location) - 1
        if child is None and not is_last and node is not None:
            continue
        kept.append(part)
        node = child
    return tuple(kept)


def _line(root: yaml.Node | None, location: Location) -> int:
    """Line (from 1) of the deepest part of `location` that the file has."""
    line, node = 1, root
    for part in location:
        node = _child(node, part)
        if node is None:
            break
        line = node.start_mark.line + 1
    return line


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((v for k, v in node.value if k.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        element: yaml.Node = node.value[part]
        return element
    return None
