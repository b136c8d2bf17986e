"""Foreign text on one line of a screen, a subject or a log: control characters are made visible.

Machine names, notes and values come from files that anybody may have written. A line break in one
forges a line, an escape sequence clears the terminal, a mark of direction turns a line around.
"""

from __future__ import annotations

import unicodedata

LONGEST_NAME = 120
"""Characters of a foreign name that a message shows."""


def one_line(text: str, *, most: int = 4000) -> str:
    r"""`text` on one line, at most `most` characters of it: a line break is shown as `\n`."""
    shown = "".join(_visible(character) for character in text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def lines(text: str) -> str:
    """The lines of a `text` of our own that holds foreign words, each as `one_line` shows it."""
    return "\n".join(map(one_line, text.split("\n")))


def _visible(character: str) -> str:
    # Other spaces than the usual one do no harm; all else without a shape is made visible.
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
