"""Lines in the tables `thresholds`, `drift` and `ledger`."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline import ledger, tables
from pipeline.data.window import Manifest
from pipeline.detector.bundle import Bundle
from pipeline.drift import DriftVerdict
from pipeline.evaluation.metrics import Evaluation
from pipeline.ledger import Action, Decision, Entry
from pipeline.locking import promotion_lock
from pipeline.settings import Settings
from pipeline.steps.candidate import Candidate
from pipeline.tables import Table

if TYPE_CHECKING:
    from pipeline.steps.gating import Judged


def record_threshold(
    here: Settings, judged: Judged, bundle: Bundle, manifest: Manifest, evaluation: Evaluation
) -> None:
    """One line for this version's threshold, unless it is there already."""
    table = Table(here.storage, judged.candidate.detector, "thresholds")
    known = tables.read(table, columns=["version"])
    if judged.version in set(known["version"]):
        return
    drawn = bundle.description.threshold
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
                "realised_rate": evaluation.rate.rate if evaluation.rate else None,
                "window_first": manifest.first_day,
                "window_last": manifest.last_day,
                "created_at": now,
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
        [
            {
                "date": day,
                "source": candidate.name,
                "feature": result.feature,
                "distance": result.distance,
                "p": result.p,
                "q": result.q,
                "rows_reference": result.rows_reference,
                "rows_current": result.rows_current,
                "level": result.level,
                "verdict": verdict.kind,
            }
            for result in verdict.results
        ],
    )


def record_rejection(here: Settings, judged: Judged, *, who: str, why: str) -> None:
    """Write a rejection to the ledger; what is live is not touched."""
    with promotion_lock(here, judged.candidate.detector):
        append_decision(here, judged, "rejection", replaced=None, who=who, why=why)


def append_decision(
    here: Settings, judged: Judged, action: Action, *, replaced: int | None, who: str, why: str
) -> None:
    """Chain a decision behind the ledger's last entry, unless it stands already.

    The caller holds the promotion lock, or two entries could claim the same place.
    """
    table = Table(here.storage, judged.candidate.detector, "ledger")
    entries = read_ledger(here, judged.candidate.detector)
    ledger.verify(entries)
    if _stands(entries, judged, action):
        return
    last = entries[-1] if entries else None
    now = datetime.now(UTC)
    decision = Decision(
        action=action,
        detector=judged.candidate.detector,
        version=judged.version,
        replaced=replaced,
        who=who,
        why=why,
        run_id=judged.candidate.run_id,
        card_sha256=hashlib.sha256(judged.card.encode()).hexdigest(),
        decided_at=now.isoformat(),
    )
    row = ledger.to_row(ledger.chain(decision, last))
    tables.append(table, [{"date": now.date(), **row}])


def read_ledger(here: Settings, detector: str) -> list[Entry]:
    """All entries of a detector's ledger, oldest first."""
    rows = tables.read(Table(here.storage, detector, "ledger"))
    if rows.empty:
        return []
    ordered = rows.sort_values("sequence").to_dict("records")
    return [ledger.from_row({str(key): value for key, value in row.items()}) for row in ordered]


def _stands(entries: list[Entry], judged: Judged, action: Action) -> bool:
    """Whether a rerun found its own entry: a rejection anywhere, or the newest change of champion.

    A version that was live before may be promoted again, and that is a new decision.
    """
    if action == "rejection":
        decisions = [entry.decision for entry in entries if entry.decision.action == "rejection"]
    else:
        decisions = [entry.decision for entry in entries if entry.decision.action != "rejection"]
        decisions = decisions[-1:]
    return (action, judged.version) in {(d.action, d.version) for d in decisions}
