"""The records of a drift verdict, their vocabulary, and their rows in the table `drift`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Literal

from pydantic import TypeAdapter

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.carriers import NOBODY, Carriers, GrownErrors
from pipeline.drift.comparison import ACCEPTED, SCORE
from pipeline.drift.repairs import Repair
from pipeline.evaluation.rate import RealisedRate

Kind = Literal[
    "none",
    "not judged",
    "data fault",
    "input drift",
    "model stale",
    "threshold stale",
    "degradation",
]
Action = Literal["none", "quarantine", "watch", "retrain", "recalibrate", "look"]
Level = Literal["none", "warn", "alarm", "no power"]

ACTIONS: dict[Kind, Action] = {
    "none": "none",
    "not judged": "none",
    "data fault": "quarantine",
    "input drift": "watch",
    "model stale": "retrain",
    "threshold stale": "recalibrate",
    "degradation": "look",
}


@dataclass(frozen=True)
class DriftResult:
    """The test of one feature, or of the score.

    Attributes:
        feature: its name; SCORE for the score, ACCEPTED where that is compared with the last
            accepted state.
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
class VerdictEvidence:
    """The evidence for a verdict besides the tests.

    Attributes:
        broken: channels that look like a broken sensor.
        rate: the flag rate, or None.
        apart: the entity that was left out as an incident of its own; empty: no entity was.
        accepted_rate: the highest flag rate that agrees with the last accepted state; None: the
            reference is that state, or an earlier release made the verdict.
        carriers: the channels and machines that carry a rise beyond the accepted state.
        repair: what undoes most of the rise of the score; None: nothing that was tried.
        grown: channels that the others explain far worse than in the accepted state.
    """

    broken: tuple[BrokenChannel, ...] = ()
    rate: RealisedRate | None = None
    apart: str = ""
    accepted_rate: float | None = None
    carriers: Carriers = NOBODY
    repair: Repair | None = None
    grown: GrownErrors = ()


_EVIDENCE = TypeAdapter(VerdictEvidence)


@dataclass(frozen=True)
class DriftVerdict:
    """The verdict on the data, and the one action.

    Attributes:
        kind: what happened.
        action: what to do.
        reason: one sentence with the numbers, for a person.
        results: every test, the score first.
        broken, rate, apart, accepted_rate, carriers, repair, grown: as in VerdictEvidence.
    """

    kind: Kind
    action: Action
    reason: str
    results: tuple[DriftResult, ...]
    broken: tuple[BrokenChannel, ...]
    rate: RealisedRate | None = None
    apart: str = ""
    accepted_rate: float | None = None
    carriers: Carriers = NOBODY
    repair: Repair | None = None
    grown: GrownErrors = ()

    @property
    def evidence(self) -> VerdictEvidence:
        """What there is besides the tests."""
        return VerdictEvidence(**{name: getattr(self, name) for name in _BESIDES})

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
_BESIDES = tuple(field.name for field in fields(VerdictEvidence))


def verdict_with(
    kind: Kind, reason: str, results: tuple[DriftResult, ...], evidence: VerdictEvidence
) -> DriftVerdict:
    """The verdict of `kind`, with the action that it asks for."""
    besides = {name: getattr(evidence, name) for name in _BESIDES}
    return DriftVerdict(kind, ACTIONS[kind], reason, results, **besides)


def to_rows(
    verdict: DriftVerdict, *, day: date, source: str, version: int | None
) -> list[dict[str, Any]]:
    """One row for each series; the verdict and its other evidence are in the row of the score."""
    about = {"date": day, "source": source, "version": version, "verdict": verdict.kind}
    rows = [about | asdict(result) for result in verdict.results]
    rows[0] |= {
        "action": verdict.action,
        "reason": verdict.reason,
        "evidence": json.dumps(
            _EVIDENCE.dump_python(verdict.evidence, mode="json"), sort_keys=True
        ),
    }
    return rows


def from_rows(rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> DriftVerdict:
    """The verdict that `to_rows` made `rows` of, its features in the given `order`.

    Rows of an earlier release name no carriers.
    """
    place = {name: position for position, name in enumerate((SCORE, ACCEPTED, *order))}
    ordered = sorted(rows, key=lambda row: place.get(row["feature"], len(place)))
    score = ordered[0]
    evidence = _EVIDENCE.validate_json(score["evidence"])
    results = tuple(DriftResult(**{name: row[name] for name in _TESTED}) for row in ordered)
    return verdict_with(score["verdict"], score["reason"], results, evidence)
