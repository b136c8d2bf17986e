"""The text of a detector file, and the limits for its size and depth before it is parsed.

A parser of nodes recurses until the process dies, and ten lines of aliases that repeat aliases
grow beyond all memory. So both are counted on the flat stream of YAML's events, before any node is
made.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pipeline.config.shown import cut, shown
from pipeline.errors import ConfigError

MOST_BYTES = 1_000_000
"""Largest size of a detector file: that of one with some twenty thousand features."""

_BOMS = (b"\xff\xfe", b"\xfe\xff")

DEEPEST = 20
"""Levels of a detector file; the sections have six."""

MOST_VALUES = 100_000
"""Keys and values of a detector file at most; a feature has four or more."""

TAG = "tag:yaml.org,2002:"

_FILE = "the file"
_WRITTEN_OUT = (None, "!", f"{TAG}str")

Problem = tuple[int, str, str]
"""Line (from 1), key and problem."""


def read_text(path: Path) -> str:
    """The text of a detector file.

    Raises:
        ConfigError: it is no file, cannot be read, is too large, or is no UTF-8.
    """
    try:
        # Not opened before it is known to be a file: a pipe would let its reader wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "no regular file"
            msg = f"{path}: is {kind}; give the path of a detector file"
            raise ConfigError(msg)
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a zero in it is a ValueError
        if path.is_symlink() and not path.exists():
            msg = f"{path}: is a link to what is not there; remove it, or put the file there"
            raise ConfigError(msg) from error
        why = getattr(error, "strerror", None) or error
        msg = f"{path}: cannot be read ({why}); give the path of a detector file"
        raise ConfigError(msg) from error
    if len(content) > MOST_BYTES:
        msg = (
            f"{path}: is larger than {MOST_BYTES:,} bytes, the limit of a detector file; keep "
            "data elsewhere"
        )
        raise ConfigError(msg)
    return _decoded(path, content)


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith(_BOMS):
        msg = f"{path}:1: the file is UTF-16 or UTF-32; save it as UTF-8"
        raise ConfigError(msg)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before.count(b"\n") + 1
        near = before.rpartition(b"\n")[2].decode("utf-8", "replace")
        msg = (
            f"{path}:{line}: the byte 0x{error.object[error.start]:02x} after "
            f"{shown(near[-20:])} is no UTF-8 (Latin-1 perhaps); save the file as UTF-8"
        )
        raise ConfigError(msg) from error


def dangers(text: str) -> Iterator[Problem]:
    """What must not reach a parser of nodes; a caller may stop at the first problem.

    Raises:
        yaml.YAMLError: the text is no YAML.
    """
    weighed, documents = _Weighed(), 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            yield line, _FILE, "holds a second document; give it a file of its own"
        tag = getattr(event, "tag", None)
        if tag not in _WRITTEN_OUT or (tag and not isinstance(event, yaml.ScalarEvent)):
            refusal = "is a tag, which is not read; remove it, and write a text in quotes"
            yield line, cut(str(tag).replace(TAG, "!!")), refusal
        if problem := weighed.add(event):
            key = cut(f"*{event.anchor}") if isinstance(event, yaml.AliasEvent) else _FILE
            yield line, key, problem


@dataclass
class _Weight:
    """The size of a value and all in it, aliases written out: characters, values and levels."""

    size: int = 1
    values: int = 1
    height: int = 0


@dataclass
class _Weighed:
    """The open collections, and the weight of each anchor."""

    open: list[tuple[str | None, _Weight]] = field(default_factory=lambda: [(None, _Weight())])
    anchors: dict[str, _Weight] = field(default_factory=dict)

    def add(self, event: yaml.Event) -> str | None:
        """The problem that this event causes, if any."""
        if isinstance(event, yaml.CollectionStartEvent):
            self.open.append((event.anchor, _Weight()))
            return self._judged(_Weight(0, 0))
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, weight = self.open.pop()
            return self._closed(anchor, _Weight(weight.size, weight.values, weight.height + 1))
        if isinstance(event, yaml.ScalarEvent):
            return self._closed(event.anchor, _Weight(len(event.value) + 1))
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                return "repeats what is not there yet, or what it is in; write the value out"
            return self._judged(self.anchors[event.anchor])
        return None

    def _closed(self, anchor: str | None, weight: _Weight) -> str | None:
        if anchor is not None:
            self.anchors[anchor] = weight
        return self._judged(weight)

    def _judged(self, inner: _Weight) -> str | None:
        """Add `inner` to the open collection."""
        outer = self.open[-1][1]
        outer.size += inner.size
        outer.values += inner.values
        outer.height = max(outer.height, inner.height)
        if outer.size > MOST_BYTES:
            return f"makes the file larger than {MOST_BYTES:,} bytes once written out; repeat less"
        if outer.values > MOST_VALUES:
            return f"holds more than {MOST_VALUES:,} keys and values, written out; hold fewer"
        if len(self.open) - 1 + inner.height > DEEPEST:
            return f"is nested deeper than {DEEPEST} levels; flatten it"
        return None
