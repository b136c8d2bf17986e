"""One row of the table that `make bench-operation` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One required number.

    Attributes:
        part: the subject.
        asked: the requirement.
        got: the measurement.
        met: whether the requirement is met; None where there is none.
        note: how to read it; empty when there is nothing to say.
    """

    part: str
    asked: str
    got: str
    met: bool | None
    note: str = ""
