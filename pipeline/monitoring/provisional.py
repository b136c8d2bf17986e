"""A provisional version: live with a threshold from few rows, until enough have been scored.

Few rows are no fault of a candidate, and a detector that waits for them watches nothing meanwhile.
So it goes live and says how far its threshold can be trusted; each week the threshold is estimated
anew on the rows that it has scored, and the first version with enough of them is confirmed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.data.forward_test import ForwardTest
from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.utc_day import DAY_NS

EVERY = timedelta(days=7)
"""How often a provisional threshold is estimated anew."""


@dataclass(frozen=True)
class Provisional:
    """What is known of a threshold that rests on few rows.

    Attributes:
        rows: independent rows that it was estimated from.
        needed: rows with which it counts as confirmed.
        rate: range of the false-positive rates to expect: the 95 % interval of days like those of
            the calibration, widened to that of later days.
        trained_until: last day that its network may have been trained on; None: unknown.
        confirmed_about: day on which so many rows will have been scored; None: unknown.
        forward: how a version of the days before does on the last days of the training.
    """

    rows: float
    needed: int
    rate: tuple[float, float]
    trained_until: date | None
    confirmed_about: date | None
    forward: ForwardTest | None = None

    @property
    def sentence(self) -> str:
        """The words for card, status and messages."""
        low, high = self.rate
        when = f", about {self.confirmed_about}" if self.confirmed_about else ""
        return (
            f"provisional: its threshold rests on {self.rows:,.0f} of {self.needed:,} independent "
            f"rows, so that {low:.2%} to {high:.2%} of normal rows may be flagged"
            f"{self._later}; it is estimated anew each week until there are enough{when}"
        )

    @property
    def _later(self) -> str:
        return f" ({self.forward.sentence})" if self.forward is not None else ""


def is_provisional(threshold: ThresholdEstimate, *, needed: int) -> bool:
    """Whether `threshold` rests on fewer independent rows than are needed."""
    return threshold.n_effective < needed


def provisional(
    threshold: ThresholdEstimate,
    timeline: Timeline | None,
    trained_until: date | None,
    *,
    needed: int,
    minimum_days: int,
    forward: ForwardTest | None = None,
) -> Provisional | None:
    """What to say of `threshold`; None where it rests on enough rows.

    `timeline` is that of the bundle's reference. Rows scored after `trained_until` are those that a
    recalibration may use, from `minimum_days` on; they are worth as much as those so far.
    """
    if not is_provisional(threshold, needed=needed):
        return None
    return Provisional(
        threshold.n_effective,
        needed,
        _to_expect(threshold, forward),
        trained_until,
        _confirmed_about(threshold, timeline, trained_until, needed, minimum_days),
        forward,
    )


def _to_expect(threshold: ThresholdEstimate, forward: ForwardTest | None) -> tuple[float, float]:
    """Rates on days like those of the calibration, and on later ones.

    The interval of the threshold holds for days like those that it was estimated from. A young
    detector goes on into days of another kind; how other they were at the end of its training is
    all that is known of them.
    """
    low, high = threshold.rate_interval
    if forward is None:
        return low, high
    return min(low, forward.interval[0]), max(high, forward.interval[1])


def due(found: Provisional, unknown_from: date, day: date, *, minimum_days: int) -> bool:
    """Whether a provisional threshold is to be estimated anew at the end of `day`.

    `unknown_from` is the first day whose rows it does not know. Before `minimum_days` of new rows a
    recalibration has nothing to work on, nor where nobody knows which rows are new.
    """
    if found.trained_until is None:
        return False
    enough = (day - found.trained_until).days >= minimum_days
    return enough and day - unknown_from >= EVERY - timedelta(days=1)


def _confirmed_about(
    threshold: ThresholdEstimate,
    timeline: Timeline | None,
    trained_until: date | None,
    needed: int,
    minimum_days: int,
) -> date | None:
    if timeline is None or trained_until is None:
        return None
    rows_a_day = DAY_NS / timeline.cadence_ns * len(timeline.names)
    worth_a_day = rows_a_day * threshold.n_effective / threshold.n
    days = max(minimum_days, math.ceil(needed / worth_a_day))
    # A recalibration comes once a week.
    return trained_until + timedelta(days=days) + EVERY
