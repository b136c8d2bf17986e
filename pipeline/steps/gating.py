"""Task `gate`: run every check, register the candidate with its card, passed or rejected.

One path for both kinds of candidate. What is measured and what the card shows is that of the kind:
`training_gate` and `recalibration_gate`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from pipeline import lineage, log_context, staging
from pipeline.detector.bundle.bundle import Bundle, load_bundle
from pipeline.detector.bundle.lineage import BundleKind
from pipeline.gate import GateVerdict
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import pages, promotion, runs, tags, versions
from pipeline.registry.connection import connect
from pipeline.report.card import Link, run_note
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import recalibration_gate, training_gate
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.decisions import evidence_text
from pipeline.steps.gate_case import GateCase
from pipeline.store.thresholds import record_threshold

log = structlog.get_logger()

_JUDGES: dict[BundleKind, Callable[[Deployment, Candidate, Bundle], GateCase]] = {
    "trained": training_gate.judge,
    "recalibrated": recalibration_gate.judge,
}
_LOGGED: dict[BundleKind, str] = {"trained": "candidate", "recalibrated": "threshold"}


@lineage.job("gate")
def gate(
    here: Deployment,
    payload: Payload[Candidate],
    *,
    run: str,
) -> Payload[JudgedCandidate]:
    """Decide about a candidate and record why; the live version does not change.

    `run` is the run of the DAG or command, which asks for an approval where one is needed.

    Raises:
        PromotionConflict: the candidate is recalibrated, and another version went live since its
            window was read: the new threshold may be of another network.
        DataError: a staged file is gone, or changed since the task before.
    """
    candidate = from_json(Candidate, payload)
    lineage.note_read(candidate.uri)
    client, model = connect(here), candidate.detector
    with staged.pulled(candidate, staged.BUNDLE) as folder:
        bundle = load_bundle(folder)
        case = _JUDGES[candidate.kind](here, candidate, bundle)
        version = versions.register(
            client,
            model=model,
            run_id=candidate.run_id,
            bundle=folder,
            features=bundle.schema.features,
        )
    log_context.bind_version(version.number)
    lineage.note_model(model, version.number, written=True)
    _log_verdict(here, candidate, case)
    page = pages.version_page(here.mlflow_url, model, version.number)
    links = (Link(case.card_name, pages.inside_mlflow(page)), *case.links)
    runs.describe(client, candidate.run_id, run_note(case.verdict, links, case.about))
    judged = JudgedCandidate(
        candidate=replace(candidate, page=page),
        version=version.number,
        passed=case.verdict.passed,
        reason=case.reason,
        champion=case.champion,
        card=case.card,
        bundle_sha256=bundle.digest,
        evidence=evidence_text(bundle, case.window, case.telemetry_version, case.verdict.reason),
    )
    about = _tags(judged, bundle, case) | {tags.JUDGED_IN: run}
    versions.describe(client, model, version.number, card=case.card, tags=about)
    record_threshold(
        here,
        model,
        bundle,
        version=judged.version,
        run_id=candidate.run_id,
        window=case.window,
        realised_rate=case.realised_rate,
    )
    _tag_outcome(here, judged)
    event = f"{_LOGGED[candidate.kind]}_{'passed' if judged.passed else 'rejected'}"
    log.info(event, version=judged.version, reason=judged.reason)
    return to_json(judged)


def verdict_of(candidate: Candidate) -> GateVerdict:
    """The verdict of `gate`."""
    content = staging.read_json(f"{candidate.folder(staged.GATE)}/verdict.json")
    return from_json(GateVerdict, content)


def _log_verdict(here: Deployment, candidate: Candidate, case: GateCase) -> None:
    """Log every check and the card to the candidate's run."""
    client, verdict = connect(here), case.verdict
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "verdict.json").write_text(json.dumps(to_json(verdict), indent=1))
        staging.push(Path(scratch), candidate.folder(staged.GATE))
        runs.log_folder(client, candidate.run_id, Path(scratch), staged.GATE)
    runs.log_page(client, candidate.run_id, "card.md", case.card)
    measured = {f"gate/{r.name}": r.measured for r in verdict.results if r.measured is not None}
    runs.log_metrics(client, candidate.run_id, measured)


def _tags(judged: JudgedCandidate, bundle: Bundle, case: GateCase) -> dict[str, str]:
    candidate = judged.candidate
    weights = judged.version if candidate.weights_of is None else candidate.weights_of
    return {
        "gate": "passed" if judged.passed else "rejected",
        "threshold": f"{bundle.threshold:.6g}",
        "telemetry_version": str(case.telemetry_version),
        tags.KIND: candidate.kind,
        tags.WEIGHTS_OF: str(weights),
        "candidate": candidate.name,
        "bundle_sha256": bundle.digest,
        **case.tags,
    }


def _tag_outcome(here: Deployment, judged: JudgedCandidate) -> None:
    """Tag the version as challenger or as rejected; a version that is live stays as it is.

    `promote` writes a rejection to the ledger, as it holds the key.
    """
    if judged.version == judged.champion:
        return
    client = connect(here)
    model = judged.candidate.detector
    if judged.passed:
        promotion.set_challenger(client, model, judged.version)
        return
    promotion.reject(client, model, judged.version, reason=judged.reason)
    runs.end(client, judged.candidate.run_id, passed=False)
