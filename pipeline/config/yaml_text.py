"""The text of a detector file as YAML, read as its author means it.

YAML 1.1 converts plain words that people mean as text (`on` is true, `1:30` is ninety), and fails
on what it cannot convert (30 February). So a key must be a word, such numbers stay words, and
every error has its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.file_text import TAG, dangers, read_text
from pipeline.config.shown import cut
from pipeline.errors import ConfigError

_SCREEN, _LONGEST = 1_900, 800
"""Characters of a terminal of 24 lines, and of one mistake."""
_READ_AS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "null": "nothing",
}
_MERGE = f"{TAG}merge"
_NO_NUMBERS = re.compile(r"[-+]?(?:\d[\d_]*(?::\d\d?)+(?:\.\d*)?|0[\d_]+)")
"""Numbers that YAML 1.1 reads in base 60 (`1:30`) or 8 (`010`), which nobody expects."""

_SCALARS = yaml.constructor.SafeConstructor()
_KINDS: dict[type, str] = {yaml.ScalarNode: "one value", yaml.SequenceNode: "a list"}


@dataclass(frozen=True)
class Mistake:
    """One mistake in a file: its line (from 1), its key with the parent keys, the problem."""

    line: int
    key: str
    problem: str


@dataclass(frozen=True)
class Document:
    """A file of sections: `root` has the lines, `content` the values."""

    root: yaml.MappingNode
    content: dict[str, Any]


def mistakes_text(path: Path, mistakes: Iterable[Mistake]) -> str:
    """One line for each mistake, as many as fit a screen."""
    lines: list[str] = []
    for each in mistakes:
        if lines and sum(map(len, lines)) > _SCREEN:
            lines.append(f"{path}: there are more mistakes; fix these first")
            break
        lines.append(f"{path}:{each.line}: {each.key}: {_short(each.problem)}")
    return "\n".join(lines)


def read_document(path: Path) -> Document:
    """The sections that `path` holds.

    Raises:
        ConfigError: it cannot be read, is too large, no UTF-8, no YAML, or says something that
            YAML reads in another way than people do.
    """
    root = _composed(path, read_text(path))
    if not isinstance(root, yaml.MappingNode):
        kind = "is empty" if root is None else f"holds {_KINDS[type(root)]}"
        msg = (
            f"{path}:1: the file {kind}, not the sections of a detector; see docs/detector-file.md"
        )
        raise ConfigError(msg)
    mistakes: list[Mistake] = []
    content = _mapping(root, (), mistakes)
    if mistakes:
        raise ConfigError(mistakes_text(path, mistakes))
    return Document(root, content)


def raw_text(node: yaml.Node | None) -> str | None:
    """The text of a single value in the file; None for a mapping, a list or nothing."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def read_as(node: yaml.Node | None) -> str | None:
    """The kind that YAML reads a plain word as, although it may be meant as text; None: text."""
    return _READ_AS.get(node.tag.removeprefix(TAG)) if isinstance(node, yaml.ScalarNode) else None


def _short(problem: str) -> str:
    return problem if len(problem) <= _LONGEST else problem[: _LONGEST - 3] + "..."


def _composed(path: Path, text: str) -> yaml.Node | None:
    try:
        danger = next(dangers(text), None)
        if danger is None:
            return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(mistakes_text(path, [_no_yaml(text, error)])) from error
    raise ConfigError(mistakes_text(path, [Mistake(*danger)]))


def _no_yaml(text: str, error: yaml.YAMLError) -> Mistake:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        line = mark.line + 1 if mark else 1
    else:  # a character that no YAML may hold
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        said = " ".join(str(error).split())
    indented = text.split("\n")[line - 1 : line]
    tabbed = any(each.lstrip(" ").startswith("\t") for each in indented)
    fix = "indent by blanks, not by tabs" if tabbed else "quote what holds signs such as : # %"
    return Mistake(line, "the file", f"is not valid YAML: {said}: {fix}")


def _value(node: yaml.Node, trail: tuple[str, ...], mistakes: list[Mistake]) -> Any:
    """The value of a node; its depth is bounded by now."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, trail, mistakes)
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, (*trail, str(n)), mistakes) for n, each in enumerate(node.value)]
    if read_as(node) is None or _NO_NUMBERS.fullmatch(node.value):
        return node.value
    try:
        # Not `construct_object`, which would keep each node for ever.
        return yaml.SafeLoader.yaml_constructors[node.tag](_SCALARS, node)
    except ValueError:  # a day that no month has, a number of ten thousand digits
        return node.value


def _mapping(
    node: yaml.MappingNode, trail: tuple[str, ...], mistakes: list[Mistake]
) -> dict[str, Any]:
    _merge(node)
    content: dict[str, Any] = {}
    for key, value in node.value:
        problem = _problem_of_key(key, content)
        inner = (*trail, cut(key.value) if isinstance(key, yaml.ScalarNode) else "?")
        if problem is not None:
            mistakes.append(Mistake(key.start_mark.line + 1, ".".join(inner), problem))
        else:
            content[key.value] = _value(value, inner, mistakes)
    return content


def _merge(node: yaml.MappingNode) -> None:
    """Add the keys that `<<` names to the mapping's own keys, which take precedence."""
    own = [pair for pair in node.value if pair[0].tag != _MERGE]
    known = _words(own)
    for key, value in node.value:
        if key.tag != _MERGE:
            continue
        merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not all(isinstance(each, yaml.MappingNode) for each in merged):
            own.append((key, value))  # reported as a key that no section knows
            continue
        for each in merged:
            _merge(each)
            own += [pair for pair in each.value if not _words([pair]) & known]
            known |= _words(each.value)
    node.value = own


def _words(pairs: list[tuple[yaml.Node, yaml.Node]]) -> set[str]:
    return {key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode)}


def _problem_of_key(key: yaml.Node, before: dict[str, Any]) -> str | None:
    if not isinstance(key, yaml.ScalarNode):
        return "a list or a mapping cannot be a key; write a word, in quotes where it has signs"
    if key.value in before:
        return "the key is there twice; remove one"
    kind = read_as(key)
    if kind is None:
        return None
    if not key.value:
        return "a key is empty; write a name before the colon"
    return f'YAML reads this key as {kind}; write it in quotes: "{cut(key.value)}": ...'
