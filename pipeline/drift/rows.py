"""A verdict as rows of the table `drift`, one for each series, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.comparison import SCORE
from pipeline.drift.result import DriftResult, DriftVerdict
from pipeline.evaluation.rate import RealisedRate

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
