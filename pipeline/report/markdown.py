"""Markdown as MLflow shows it: a table without any space between its columns or below it."""

from __future__ import annotations

from collections.abc import Sequence

RULE = "\n\n---\n\n"
"""Between two sections of a page."""

_GAP = " &emsp; | "


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; a `|` inside a cell becomes a slash."""
    rule = " | ".join("---" for _ in header)
    lines = [_GAP.join(_cell(text) for text in line) for line in (header, *rows)]
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
