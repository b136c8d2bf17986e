"""The records of a drift verdict, and their vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.drift.broken import BrokenChannel
from pipeline.evaluation.rate import RealisedRate

Kind = Literal["none", "data fault", "input drift", "model stale", "threshold stale"]
Action = Literal["none", "quarantine", "watch", "retrain", "recalibrate"]
Level = Literal["none", "warn", "alarm", "no power"]

ACTIONS: dict[Kind, Action] = {
    "none": "none",
    "data fault": "quarantine",
    "input drift": "watch",
    "model stale": "retrain",
    "threshold stale": "recalibrate",
}


@dataclass(frozen=True)
class DriftResult:
    """The test of one feature, or of the score.

    Attributes:
        feature: its name; `score` for the score.
        distance: KS distance D, between 0 and 1.
        p: probability of such a distance without drift.
        q: the same, corrected for the number of tests.
        rows_reference: effective rows of the reference.
        rows_current: effective rows that were tested.
        rises: whether the median rose.
        level: none, warn, alarm or no power.
    """

    feature: str
    distance: float
    p: float
    q: float
    rows_reference: float
    rows_current: float
    rises: bool
    level: Level


@dataclass(frozen=True)
class DriftVerdict:
    """The verdict on the data, and the one action.

    Attributes:
        kind: what happened.
        action: what to do.
        reason: one sentence with the numbers, for a person.
        results: every test, the score first.
        broken: channels that look like a broken sensor.
        rate: the flag rate beside the tests, or None.
        apart: the entity that was left out as an incident of its own; empty: no entity was.
    """

    kind: Kind
    action: Action
    reason: str
    results: tuple[DriftResult, ...]
    broken: tuple[BrokenChannel, ...]
    rate: RealisedRate | None = None
    apart: str = ""

    def at(self, *levels: Level) -> tuple[str, ...]:
        """Names of the series at one of `levels`."""
        return tuple(result.feature for result in self.results if result.level in levels)

    @property
    def level(self) -> Level:
        """The highest level that a series reached; `no power` where the tests could show none."""
        for level in ("alarm", "warn", "none"):
            if self.at(level):
                return level
        return "no power"
