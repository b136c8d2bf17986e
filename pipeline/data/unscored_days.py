"""Days of a training window that were never scored: nobody looked for lasting faults on them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class UnscoredDays:
    """Days with rows after the live version's training that have no scores, so no cases either.

    Attributes:
        days: how many.
        first: the first of them.
        last: the last; days between the two may be scored.
    """

    days: int
    first: date
    last: date

    @property
    def sentence(self) -> str:
        """One sentence for cards and logs."""
        return (
            f"{self.days} days of the window were never scored, so nobody looked for lasting "
            f"faults on them: {self.first} to {self.last}; score them first."
        )


def unscored_of(
    window: Collection[date], scored: Collection[date], *, after: date
) -> UnscoredDays | None:
    """Those of the `window` after the day `after` that are not `scored`; None: there are none."""
    days = {day for day in window if day > after} - set(scored)
    return UnscoredDays(len(days), min(days), max(days)) if days else None
