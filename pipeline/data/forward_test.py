"""How a version trained on the first days of a window does on the last ones: the record of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class ForwardTest:
    """The rate of a version that was trained on the days before these.

    Attributes:
        first: first of the last days.
        last: the last one.
        rows: normal rows on them.
        rate: share of these above the threshold.
        interval: 95 % interval of the true rate on such days.
    """

    first: date
    last: date
    rows: int
    rate: float
    interval: tuple[float, float]

    @property
    def sentence(self) -> str:
        """What it says of the future, in words."""
        return (
            f"a version trained on the days before {self.first} flags {self.rate:.1%} of the "
            f"{self.rows:,} normal rows up to {self.last}"
        )
