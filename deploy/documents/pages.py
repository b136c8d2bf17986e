"""The pages with generated parts, and their current text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.documents import checks, command_line, detector_file
from deploy.documents.blocks import filled

FOLDER = Path(__file__).parents[2] / "docs"

PAGES: dict[str, Callable[[], Mapping[str, str]]] = {
    "architecture.md": checks.blocks,
    "command-line.md": command_line.blocks,
    "detector-file.md": detector_file.blocks,
}
"""Page -> the function that renders its generated parts, by name."""


def current(name: str) -> str:
    """The text of the page `name` with its generated parts up to date."""
    return filled((FOLDER / name).read_text(encoding="utf-8"), PAGES[name]())
