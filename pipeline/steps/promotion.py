"""Task `promote`: a candidate goes live, or its rejection is written to the ledger."""

from __future__ import annotations

from typing import TypedDict

from pipeline import ledger, lineage, log_context
from pipeline.errors import UnprovenAnswer, UnprovenBundle
from pipeline.records import Payload, from_json
from pipeline.registry import promotion, runs, versions
from pipeline.registry.connection import Client, connect
from pipeline.settings import Deployment
from pipeline.steps import approval, ledger_state, metrics_hooks
from pipeline.steps.approval import Answer
from pipeline.steps.candidate import JudgedCandidate, detector_named
from pipeline.steps.champion import change_champion
from pipeline.steps.decisions import decision_about, record_rejection
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import opened


class PromotionOutcome(TypedDict):
    """What became of a candidate.

    Attributes:
        version: its number.
        promoted: whether it is live.
        reason: of the gate, or why it is not live.
        replaced: the version that was live before; None if none was, or it is not live.
        page: its page in MLflow.
    """

    version: int
    promoted: bool
    reason: str
    replaced: int | None
    page: str


@lineage.job("promote")
def promote(
    here: Deployment, payload: Payload[JudgedCandidate], *, answer: str | None, run: str
) -> PromotionOutcome:
    """Move `champion` to a version that passed its gate and that nobody refused.

    Args:
        here: the deployment.
        payload: what `gate` returned.
        answer: a person's signed answer, or None where no person is asked.
        run: the DAG run, for the ledger.

    What the gate rejected, or a person, is written to the ledger as rejected.

    Raises:
        PromotionConflict: the champion is another than the gate compared with.
        UnprovenBundle: the registered version is not the one that was judged.
        UnprovenAnswer: the answer is not signed, is about another candidate, or is missing though
            the detector file asks for one.
    """
    judged = from_json(JudgedCandidate, payload)
    client = connect(here)
    model = judged.candidate.detector
    log_context.bind_version(judged.version)
    lineage.note_model(model, judged.version)
    held = ledger_state.verified(here, model)
    given = _given(here, payload, judged, answer, run)
    refusal = _refusal(judged, given) or _rolled_back(held, judged)
    text = given.text if given else ""
    if refusal:
        if judged.passed:
            promotion.reject(client, model, judged.version, reason=refusal)
            runs.end(client, judged.candidate.run_id, passed=False)
        if held.live is None or judged.version != held.live.version:
            who = _who(given if judged.passed else None, run)
            record_rejection(here, judged, who=who, why=refusal, approval=text)
        return _outcome(judged, promoted=False, reason=refusal)
    _refuse_other_bundle(here, held, client, judged)
    decision = decision_about(
        judged,
        "promotion",
        replaced=judged.champion,
        who=_who(given, run),
        why=_why(judged, given),
        approval=text,
    )
    replaced = change_champion(here, decision)
    lineage.note_model(model, judged.version, alias=promotion.CHAMPION, written=True)
    metrics_hooks.went_live(here, model)
    runs.end(client, judged.candidate.run_id, passed=True)
    return _outcome(judged, promoted=True, reason=judged.reason, replaced=replaced)


def _outcome(
    judged: JudgedCandidate, *, promoted: bool, reason: str, replaced: int | None = None
) -> PromotionOutcome:
    return {
        "version": judged.version,
        "promoted": promoted,
        "reason": reason,
        "replaced": replaced,
        "page": judged.candidate.page,
    }


def _refuse_other_bundle(
    here: Deployment, held: LedgerState, client: Client, judged: JudgedCandidate
) -> None:
    """Return if the registered bundle is the one that the gate judged: same run, same bytes."""
    model, number = judged.candidate.detector, judged.version
    found = versions.by_number(client, model, number)
    if found is None or found.run_id != judged.candidate.run_id:
        fault = f"comes from run {found.run_id or '-'}" if found else "was deleted"
        msg = (
            f"Version {number} of {model} {fault} in MLflow, and the gate judged the one of run "
            f"{judged.candidate.run_id}. Nothing was moved; delete the version in MLflow if it is "
            "there, and train or recalibrate again."
        )
        raise UnprovenBundle(msg)
    if not judged.bundle_sha256:
        msg = (
            f"Version {number} of {model} was judged by a release that kept no digest of its "
            "bundle. Nothing was moved; clear the task `gate`, so that it is judged again."
        )
        raise UnprovenBundle(msg)
    opened(here, found, held, digest=judged.bundle_sha256)


def _given(
    here: Deployment,
    payload: Payload[JudgedCandidate],
    judged: JudgedCandidate,
    answer: str | None,
    run: str,
) -> Answer | None:
    """The person's answer, proven; None where nobody had to be asked."""
    if answer is not None:
        return approval.proven(here, answer, approval.question(payload, run=run))
    if (
        judged.passed
        and detector_named(here, judged.candidate.detector).promotion.approval != "none"
    ):
        msg = (
            f"Version {judged.version} of {judged.candidate.detector} needs a person's approval "
            "(promotion.approval), and nobody was asked. Nothing was promoted; train or "
            "recalibrate again."
        )
        raise UnprovenAnswer(msg)
    return None


def _rolled_back(held: LedgerState, judged: JudgedCandidate) -> str:
    """Why a version that was rolled back does not go live again by a rerun; empty otherwise."""
    reason = ledger.rolled_back(held.entries).get(judged.version)
    if reason is None:
        return ""
    return (
        f"Version {judged.version} was rolled back ({reason}) and comes back by the rollback DAG "
        f"only, with target {judged.version}; or train on other rows."
    )


def _refusal(judged: JudgedCandidate, given: Answer | None) -> str:
    """Why the candidate does not go live; empty when it does."""
    if not judged.passed:
        return judged.reason
    if given is not None and not given.is_approval:
        return f"{given.who} rejected it{_comment(given)}."
    return ""


def _who(given: Answer | None, run: str) -> str:
    return run if given is None else f"{given.who} in {run}"


def _why(judged: JudgedCandidate, given: Answer | None) -> str:
    return judged.reason if given is None else f"{judged.reason} Approved{_comment(given)}."


def _comment(given: Answer) -> str:
    return f" ({given.comment})" if given.comment else ""
