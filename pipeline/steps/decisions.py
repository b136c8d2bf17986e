"""Decisions about judged candidates, as the ledger keeps them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from pipeline import ledger
from pipeline.detector.bundle.bundle import Bundle
from pipeline.errors import PromotionConflict
from pipeline.ledger import Action, Decision
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.candidate import JudgedCandidate

_TRIES = 20


def decision_about(
    judged: JudgedCandidate,
    action: Action,
    *,
    replaced: int | None,
    who: str,
    why: str,
    approval: str = "",
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
        bundle_sha256=judged.bundle_sha256,
        evidence=judged.evidence,
        approval=approval,
    )


def evidence_text(
    bundle: Bundle, trained_on: tuple[date, date], telemetry_version: int | None, gate: str
) -> str:
    """The evidence for a decision about a version, JSON; see `pipeline.ledger.history`."""
    provenance, lineage = bundle.description.provenance, bundle.description.lineage
    weights = {"weights_of": lineage.weights_of} if lineage else {}
    return json.dumps(
        weights
        | {
            "trained_on": [day.isoformat() for day in trained_on],
            "telemetry_version": telemetry_version,
            "code": provenance.code_version,
            "lock": provenance.lock_hash,
            "threshold": bundle.threshold,
            "gate": gate,
        }
    )


def record_rejection(
    here: Deployment, judged: JudgedCandidate, *, who: str, why: str, approval: str = ""
) -> None:
    """Write a rejection to the ledger, once; the live version does not change.

    Raises:
        UnprovenLedger: the ledger does not hold; nothing was written.
    """
    decision = decision_about(
        judged, "rejection", replaced=None, who=who, why=why, approval=approval
    )
    for _ in range(_TRIES):
        held = ledger_state.verified(here, decision.detector)
        rejected = {e.decision.version for e in held.entries if e.decision.action == "rejection"}
        if decision.version in rejected:
            return
        try:
            held = ledger_state.append(here, held, decision)
        except PromotionConflict:
            continue  # a rejection depends on nothing that came first
        ledger_state.keep_head(here, held)
        return
    msg = f"Other decisions about {decision.detector} came first {_TRIES} times; run this again."
    raise PromotionConflict(msg)
