"""The records of a drift verdict, their vocabulary, and their rows in the table `drift`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any, Literal

from pydantic import TypeAdapter

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.comparison import SCORE
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


_TESTED = tuple(field.name for field in fields(DriftResult))


@dataclass(frozen=True)
class VerdictEvidence:
    """The evidence for a verdict besides the tests."""

    broken: tuple[BrokenChannel, ...]
    rate: RealisedRate | None
    apart: str


_EVIDENCE = TypeAdapter(VerdictEvidence)


def to_rows(
    verdict: DriftVerdict, *, day: date, source: str, version: int | None
) -> list[dict[str, Any]]:
    """One row for each series; the verdict and its other evidence are in the row of the score."""
    about = {"date": day, "source": source, "version": version, "verdict": verdict.kind}
    rows = [about | asdict(result) for result in verdict.results]
    evidence = VerdictEvidence(verdict.broken, verdict.rate, verdict.apart)
    rows[0] |= {
        "action": verdict.action,
        "reason": verdict.reason,
        "evidence": json.dumps(_EVIDENCE.dump_python(evidence, mode="json"), sort_keys=True),
    }
    return rows


def from_rows(rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> DriftVerdict:
    """The verdict that `to_rows` made `rows` of, its features in the given `order`."""
    place = {name: position for position, name in enumerate((SCORE, *order))}
    ordered = sorted(rows, key=lambda row: place.get(row["feature"], len(place)))
    score = ordered[0]
    evidence = _EVIDENCE.validate_json(score["evidence"])
    results = tuple(DriftResult(**{name: row[name] for name in _TESTED}) for row in ordered)
    bare = DriftVerdict(score["verdict"], score["action"], score["reason"], results, ())
    return replace(bare, broken=evidence.broken, rate=evidence.rate, apart=evidence.apart)
