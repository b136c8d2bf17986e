"""Lines in the tables `thresholds` and `drift`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.detector.bundle import Bundle
from pipeline.drift import DriftVerdict
from pipeline.drift.rows import to_rows
from pipeline.settings import Settings
from pipeline.steps.candidate import Candidate
from pipeline.tables import Table

if TYPE_CHECKING:
    from pipeline.steps.training.gating import JudgedCandidate


def record_threshold(
    here: Settings,
    judged: JudgedCandidate,
    bundle: Bundle,
    *,
    window: tuple[date, date],
    realised_rate: float | None,
) -> None:
    """One line for this version's threshold, unless it is there already.

    `window` is the first and the last day of the rows behind it.
    """
    table = Table(here.storage, judged.candidate.detector, "thresholds")
    known = tables.read(table, columns=["version"])
    if judged.version in set(known["version"]):
        return
    drawn, lineage = bundle.description.threshold, bundle.description.lineage
    now = datetime.now(UTC)
    tables.append(
        table,
        [
            {
                "date": now.date(),
                "version": judged.version,
                "run_id": judged.candidate.run_id,
                "threshold": drawn.value,
                "threshold_low": drawn.interval[0],
                "threshold_high": drawn.interval[1],
                "method": drawn.method,
                "alpha": drawn.alpha,
                "n": drawn.n,
                "n_effective": drawn.n_effective,
                "rate_low": drawn.rate_interval[0],
                "rate_high": drawn.rate_interval[1],
                "realised_rate": realised_rate,
                "window_first": window[0],
                "window_last": window[1],
                "created_at": now,
                "kind": "recalibrated" if lineage else "trained",
                "weights_of": lineage.weights_of if lineage else judged.version,
                "anchor": lineage.anchor_threshold if lineage else drawn.value,
            }
        ],
    )


def record_drift(here: Settings, candidate: Candidate, day: date, verdict: DriftVerdict) -> None:
    """One line for each series that was compared, unless this candidate's are there already."""
    table = Table(here.storage, candidate.detector, "drift")
    if candidate.name in set(tables.read(table, columns=["source"])["source"]):
        return
    tables.append(
        table,
        to_rows(verdict, day=day, source=candidate.name, version=None),
    )
