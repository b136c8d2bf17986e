"""Lines in the tables `thresholds`, `drift` and `ledger`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline import ledger, tables
from pipeline.detector.bundle import Bundle
from pipeline.drift import DriftVerdict
from pipeline.drift.rows import to_rows
from pipeline.ledger import Action, Decision, Entry
from pipeline.locking import promotion_lock
from pipeline.settings import Settings
from pipeline.steps.candidate import Candidate
from pipeline.tables import Table

if TYPE_CHECKING:
    from pipeline.steps.training.gating import Judged


def record_threshold(
    here: Settings,
    judged: Judged,
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


def record_rejection(here: Settings, judged: Judged, *, who: str, why: str) -> None:
    """Write a rejection to the ledger; what is live is not touched."""
    with promotion_lock(here, judged.candidate.detector):
        append_decision(here, judged, "rejection", replaced=None, who=who, why=why)


def append_decision(
    here: Settings, judged: Judged, action: Action, *, replaced: int | None, who: str, why: str
) -> None:
    """Write a decision about a judged candidate to the ledger, unless it stands there already.

    The caller holds the promotion lock.
    """
    write_decision(here, decision_about(judged, action, replaced=replaced, who=who, why=why))


def decision_about(
    judged: Judged, action: Action, *, replaced: int | None, who: str, why: str
) -> Decision:
    """A decision about a judged candidate, made now."""
    return Decision(
        action=action,
        detector=judged.candidate.detector,
        version=judged.version,
        replaced=replaced,
        who=who,
        why=why,
        run_id=judged.candidate.run_id,
        card_sha256=ledger.card_hash(judged.card),
        decided_at=datetime.now(UTC).isoformat(),
    )


def write_decision(here: Settings, decision: Decision) -> None:
    """Chain a decision behind the ledger's last entry, unless it stands already.

    The caller holds the promotion lock, or two entries could claim the same place.
    """
    entries = read_ledger(here, decision.detector)
    ledger.verify(entries)
    if _stands(entries, decision):
        return
    row = ledger.to_row(ledger.chain(decision, entries[-1] if entries else None))
    day = datetime.fromisoformat(decision.decided_at).date()
    tables.append(Table(here.storage, decision.detector, "ledger"), [{"date": day, **row}])


def read_ledger(here: Settings, detector: str) -> list[Entry]:
    """All entries of a detector's ledger, oldest first."""
    rows = tables.read(Table(here.storage, detector, "ledger"))
    if rows.empty:
        return []
    ordered = rows.sort_values("sequence").to_dict("records")
    return [ledger.from_row({str(key): value for key, value in row.items()}) for row in ordered]


def _stands(entries: list[Entry], decision: Decision) -> bool:
    """Whether a rerun found its own entry: a rejection anywhere, or the newest change of champion.

    A version that was live before may be promoted again, and that is a new decision.
    """
    if decision.action == "rejection":
        made = [entry.decision for entry in entries if entry.decision.action == "rejection"]
    else:
        made = list(ledger.changes(entries)[-1:])
    return (decision.action, decision.version) in {(d.action, d.version) for d in made}
