"""Markdown as MLflow shows it: a table without any space between its columns or below it.

Names of machines and channels, and people's notes, are foreign text: `escaped` shows them as they
are, whatever markup, tags, links or images they contain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.printable import one_line

RULE = "\n\n---\n\n"
"""Between two sections of a page."""

_GAP = " &emsp; | "
_MARKUP = re.compile(r"[&<>\[\]\\`*|~]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=\bwww)\.|^[#+-](?=\s)")
"""Characters that begin a tag, link, image, emphasis or cell; not `_` between letters."""


class Markup(str):
    """Markdown of our own, which a table shows as such."""

    __slots__ = ()


def escaped(text: str) -> str:
    """Foreign `text` on one line, to be shown as it is; as entities, which every renderer knows."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line(text))


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; a cell is shown as it is, unless it is `Markup`."""
    rule = " | ".join("---" for _ in header)
    shown = [_GAP.join(_cell(text) for text in line) for line in (header, *rows)]
    return "\n".join(f"| {line} |" for line in (shown[0], rule, *shown[1:]))


def _cell(text: str) -> str:
    return str(text) if isinstance(text, Markup) else escaped(text)
