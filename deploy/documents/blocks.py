"""Generated parts of a page, between two comments that a reader of the page does not see."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BLOCK = re.compile(
    r"(?P<begin><!-- generated (?P<name>[\w-]+): make docs -->\n).*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def filled(text: str, contents: Mapping[str, str]) -> str:
    """`text` with the content of that name in each of its blocks.

    Raises:
        ValueError: the names of the blocks are not those of the contents, each once.
    """
    names = [found["name"] for found in _BLOCK.finditer(text)]
    if sorted(names) != sorted(contents):
        msg = f"The page has the blocks {sorted(names)}, generated are {sorted(contents)}."
        raise ValueError(msg)
    return _BLOCK.sub(lambda found: _block(found, contents[found["name"]]), text)


def written(text: str) -> str:
    """The hand-written part: `text` without its generated blocks."""
    return _BLOCK.sub("", text)


def _block(found: re.Match[str], content: str) -> str:
    return f"{found['begin']}\n{content.strip()}\n\n{found['end']}"
