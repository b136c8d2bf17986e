"""One line of the table that `make bench-operation` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One number that was asked for.

    Attributes:
        part: what it is about.
        asked: what was asked for.
        got: what was measured.
        met: whether it was reached; None where nothing was asked and it is only reported.
        note: how to read it; empty when there is nothing to say.
    """

    part: str
    asked: str
    got: str
    met: bool | None
    note: str = ""
