"""Bounds on the changes that a new threshold may make without asking.

A crossed bound changes nothing that is live: it stops the promotion until a person decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from pipeline.config.upkeep import Recalibration
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.recalibration.degradation import Degradation
from pipeline.recalibration.levels import Levels
from pipeline.recalibration.records import Anchor, Stop

_MONTH_DAYS = 30
_TOLD = 0.1
_CREEP_DAYS = 45  # since the anchor: one month alone cannot separate 10 % growth from 19 %


@dataclass(frozen=True)
class Moves:
    """Relative moves of the threshold and of the level; see Recalibrated.

    Attributes:
        since: the time that `growth` is the average of, for a sentence.
    """

    step: float
    total: float
    growth: float
    since: str


def moves(
    new: ThresholdEstimate, current: ThresholdEstimate, anchor: Anchor, levels: Levels, day: date
) -> Moves:
    """The moves of the threshold and of the level.

    The growth is the greater of two: since the anchor, and over the last three months. After years
    without growth an average since the anchor would notice new growth only when the total has.
    """
    elapsed = max((day - anchor.day).days, 1) / _MONTH_DAYS
    growth, since = (levels.newest / anchor.level) ** (1 / max(elapsed, 1.0)) - 1, anchor.day
    recent = levels.growth
    latest = recent is not None and recent > growth
    return Moves(
        step=new.value / current.value - 1,
        total=new.value / anchor.threshold - 1,
        growth=recent if latest and recent is not None else growth,
        since="over the last three months" if latest else f"since {since}",
    )


def stops(
    moved: Moves,
    new: ThresholdEstimate,
    current: ThresholdEstimate,
    anchor: Anchor,
    day: date,
    config: Recalibration,
    rising: Degradation | None = None,
    *,
    growth_accepted: bool = False,
) -> tuple[Stop, ...]:
    """The bounds that were crossed.

    A step counts when it is large and more than chance: outside the interval of the difference
    of two thresholds that are both uncertain. Down and up alike, as factors: the limit of 20 % is
    1.2 up and 1 / 1.2 down. The total counts in any case. Growth of the level, which has a much
    smaller error than the threshold, counts as soon as the anchor is two months old. `rising` is
    growth that a higher threshold would hide; it is never followed without an answer. Where
    `growth_accepted`, a person has answered for the growth since the accepted state: total and
    creep, which measure it once more, do not ask a second time. A large step still does, as the
    answer says nothing of growth that came after it.
    """
    found = []
    if _beyond(moved.step, config.maximum_step) and _more_than_chance(new, current):
        found.append(
            Stop(
                "step",
                moved.step,
                config.maximum_step,
                f"The threshold moved {moved.step:+.0%} in one step, from {current.value:.4g} to "
                f"{new.value:.4g}, more than chance explains; {config.maximum_step:.0%} is the "
                "limit. Look at the held episodes and at the drift verdict before you accept it.",
            )
        )
    answered = growth_accepted and moved.total > 0
    if _beyond(moved.total, config.maximum_total) and not answered:
        found.append(
            Stop(
                "total",
                moved.total,
                config.maximum_total,
                f"The threshold lies {moved.total:+.0%} from the one of {anchor.day}; "
                f"{config.maximum_total:.0%} is the limit. Accept it, and moves count from it, or "
                "train on newer data.",
            )
        )
    creeps = (day - anchor.day).days >= _CREEP_DAYS and moved.growth > config.maximum_growth
    if creeps and not growth_accepted:
        found.append(
            Stop(
                "creep",
                moved.growth,
                config.maximum_growth,
                f"Ordinary scores have grown {moved.growth:+.0%} a month {moved.since}; "
                f"{config.maximum_growth:.0%} is the limit. A threshold that follows would hide a "
                "slow fault: find the cause first.",
            )
        )
    if rising is not None:
        found.append(_degraded(rising))
    return tuple(found)


def _degraded(rising: Degradation) -> Stop:
    level, who = rising.level, ", ".join(rising.machines)
    return Stop(
        "degradation",
        rising.share,
        level.share,
        f"Since {rising.since} {rising.share:.1%} of the rows lie above a score that at most "
        f"{level.share:.1%} of the accepted rows exceed{f' (machines: {who})' if who else ''}: "
        f"this was certain on {rising.called}. "
        "Scores grow, and a higher threshold would hide why: look at the channels and machines "
        "that carry it.",
    )


def raised(moved: Moves, anchor: Anchor) -> str:
    """A sentence when the threshold has risen by more than a tenth since the accepted state.

    Raises that each stay within their bounds add up to one that hides a fault. Chance explains a
    tenth now and then (once in five years where rho is 0.9), so it is told and stops nothing.
    """
    if moved.total <= _TOLD:
        return ""
    return (
        f"The threshold has risen by {moved.total:.0%} since {anchor.day}: what was flagged then "
        "at that height is not flagged now. Look at the cause."
    )


def stale(anchor: Anchor, day: date, config: Recalibration) -> str:
    """A sentence when the live threshold has not moved for too long; empty if it has."""
    still = (day - anchor.moved).days
    if still <= config.stale_after_days:
        return ""
    return (
        f"The live threshold has not moved for {still} days, since {anchor.moved}; after "
        f"{config.stale_after_days} it counts as stale. Check that recalibrations run, and "
        "decide on those that stopped at a bound."
    )


def _beyond(move: float, limit: float) -> bool:
    return abs(math.log1p(move)) > math.log1p(limit)


def _more_than_chance(new: ThresholdEstimate, current: ThresholdEstimate) -> bool:
    """True if 0 lies outside the 95 % interval of the difference of the logarithms."""
    towards_new = 0 if new.value > current.value else 1
    reach = [_reach(new, towards_new), _reach(current, 1 - towards_new)]
    return abs(math.log(new.value / current.value)) > math.hypot(*reach)


def _reach(threshold: ThresholdEstimate, end: int) -> float:
    """Log distance of a threshold to an end of its interval; infinite where unbounded."""
    limit = threshold.interval[end]
    if limit is None or limit <= 0 or threshold.value <= 0:
        return math.inf
    return abs(math.log(threshold.value / limit))
