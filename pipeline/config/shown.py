"""Values in messages: as in the file, but short enough for a line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

_LONGEST = 60
_MOST = 12


def shown(value: object) -> str:
    """`value` as Python writes it, cut where it is long; a day or a span in its own words."""
    return cut(repr(str(value) if isinstance(value, date | timedelta) else value))


def cut(text: str) -> str:
    """`text`, at most 60 characters of it; what would break a line or hide is spelt out."""
    # A file of a megabyte may be one word: the rest of it is not looked at.
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: _LONGEST + 1])
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."


def named(names: Iterable[str]) -> str:
    """Names after each other, the first dozen of them."""
    held = list(names)
    rest = len(held) - _MOST
    return ", ".join(map(cut, held[:_MOST])) + (f" and {rest:,} more" if rest > 0 else "")
