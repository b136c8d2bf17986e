"""Rows in the tables `thresholds` and `drift`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.detector.bundle.bundle import Bundle
from pipeline.drift import DriftVerdict
from pipeline.drift.rows import to_rows
from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate
from pipeline.tables import Table

if TYPE_CHECKING:
    from pipeline.steps.candidate import JudgedCandidate


def record_threshold(
    here: Deployment,
    judged: JudgedCandidate,
    bundle: Bundle,
    *,
    window: tuple[date, date],
    realised_rate: float | None,
) -> None:
    """Append one row for this version's threshold, unless the table has it already.

    `window` is the first and the last day of the rows that it was estimated from.
    """
    table = Table(here.storage, judged.candidate.detector, "thresholds")
    known = tables.read(table, columns=["version"])
    if judged.version in set(known["version"]):
        return
    estimate, lineage = bundle.description.threshold, bundle.description.lineage
    now = datetime.now(UTC)
    tables.append(
        table,
        [
            {
                "date": now.date(),
                "version": judged.version,
                "run_id": judged.candidate.run_id,
                "threshold": estimate.value,
                "threshold_low": estimate.interval[0],
                "threshold_high": estimate.interval[1],
                "method": estimate.method,
                "alpha": estimate.alpha,
                "n": estimate.n,
                "n_effective": estimate.n_effective,
                "rate_low": estimate.rate_interval[0],
                "rate_high": estimate.rate_interval[1],
                "realised_rate": realised_rate,
                "window_first": window[0],
                "window_last": window[1],
                "created_at": now,
                "kind": "recalibrated" if lineage else "trained",
                "weights_of": lineage.weights_of if lineage else judged.version,
                "anchor": lineage.anchor_threshold if lineage else estimate.value,
            }
        ],
    )


def record_drift(here: Deployment, candidate: Candidate, day: date, verdict: DriftVerdict) -> None:
    """Append one row for each compared series, unless the table has this candidate's already."""
    table = Table(here.storage, candidate.detector, "drift")
    if candidate.name in set(tables.read(table, columns=["source"])["source"]):
        return
    tables.append(
        table,
        to_rows(verdict, day=day, source=candidate.name, version=None),
    )
