"""Task `gate` of a recalibration: run its checks, register the version, passed or rejected."""

from __future__ import annotations

from dataclasses import replace

import structlog

from pipeline import lineage, log_context
from pipeline.config import DetectorSpec
from pipeline.detector.bundle.bundle import Bundle, load_bundle
from pipeline.errors import PromotionConflict
from pipeline.gate import GateVerdict
from pipeline.gate.recalibrated import RecalibrationLimits, decide_recalibrated
from pipeline.recalibration import Recalibrated
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import pages, runs, tags, versions
from pipeline.registry.connection import connect
from pipeline.report.card import Link
from pipeline.report.markdown import escaped
from pipeline.report.recalibration_card import RecalibrationCard, recalibration_card
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import live, recalibration_origin
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.decisions import evidence_text
from pipeline.steps.gating import log_verdict, tag_outcome
from pipeline.steps.recalibrating import recalibrated
from pipeline.steps.recalibration_facts import compare_thresholds
from pipeline.steps.recalibration_origin import RecalibrationOrigin
from pipeline.steps.recalibration_run import FIGURE, described, held_episodes
from pipeline.steps.records import record_threshold

log = structlog.get_logger()


@lineage.job("gate")
def gate(
    here: Deployment,
    payload: Payload[Candidate],
    *,
    run: str,  # noqa: ARG001 - for lineage
) -> Payload[JudgedCandidate]:
    """Decide about a recalibrated candidate and record why; the live version does not change.

    Returns:
        the payload of `promote`, as the gate of a training does.

    Raises:
        PromotionConflict: another version went live since the window was read: the recalibration
            may be of another network.
    """
    candidate = from_json(Candidate, payload)
    spec, origin = recalibration_origin.origin_of(candidate)
    lineage.note_read(candidate.uri)
    result = recalibrated(here, candidate)
    client, champion = connect(here), live.champion(here, candidate.detector)
    if champion.version.run_id != candidate.run_id:
        _refuse_other_champion(champion.version.number, origin)
    facts, replayed = compare_thresholds(here, candidate, result, champion)
    verdict = decide_recalibrated(facts, RecalibrationLimits(spec.gate, spec.recalibration))
    with staged.pulled(candidate, staged.BUNDLE) as folder:
        bundle = load_bundle(folder)
        version = versions.register(
            client,
            model=spec.name,
            run_id=candidate.run_id,
            bundle=folder,
            features=bundle.schema.features,
        )
    log_context.bind_version(version.number)
    lineage.note_model(spec.name, version.number, written=True)
    card = recalibration_card(
        RecalibrationCard(
            detector=spec.name,
            gate=verdict,
            result=result,
            old=champion.bundle.description.threshold,
            first_day=origin.window.first_day,
            last_day=origin.window.last_day,
            replay=replayed,
            labels=origin.window.labels,
            accepted=facts.accepted,
            held=held_episodes(here, spec, origin, result),
            picture=Link("The window", _image(candidate)),
            links=(Link("Run", pages.inside_mlflow(candidate.page)),),
        )
    )
    log_verdict(here, candidate, verdict, card)
    page = pages.version_page(here.mlflow_url, spec.name, version.number)
    runs.describe(client, candidate.run_id, _note(origin, verdict, page))
    window = (origin.window.first_day, origin.window.last_day)
    judged = JudgedCandidate(
        candidate=replace(candidate, page=page),
        version=version.number,
        passed=verdict.passed,
        reason=_reason(verdict, facts.accepted, result),
        champion=champion.version.number,
        card=card,
        bundle_sha256=bundle.digest,
        evidence=evidence_text(bundle, window, origin.window.telemetry_version, verdict.reason),
    )
    about = _tags(candidate, spec, bundle, origin, verdict)
    versions.describe(client, spec.name, version.number, card=card, tags=about)
    record_threshold(
        here,
        judged,
        bundle,
        window=window,
        realised_rate=None,
    )
    tag_outcome(here, judged)
    event = "threshold_passed" if judged.passed else "threshold_rejected"
    log.info(event, version=judged.version, reason=judged.reason)
    return to_json(judged)


def _refuse_other_champion(number: int, origin: RecalibrationOrigin) -> None:
    if number != origin.window.champion:
        msg = (
            f"Version {origin.window.drawn_from} was recalibrated while version "
            f"{origin.window.champion} was live, but version {number} is live now. Nothing was "
            "registered; run the recalibrate DAG again."
        )
        raise PromotionConflict(msg)


def _reason(verdict: GateVerdict, accepted: str, result: Recalibrated) -> str:
    """The reason for the ledger: the checks, the fix of a stop, or who has accepted it."""
    if not result.stops:
        return verdict.reason
    stopped = " ".join(stop.reason for stop in result.stops)
    if accepted:
        return f"{verdict.reason} Beyond the bounds, accepted by {accepted}. {stopped}"
    fixes = [check.reason for check in verdict.results if check.verdict == "fail"]
    return " ".join((verdict.reason, *fixes))


def _note(origin: RecalibrationOrigin, verdict: GateVerdict, page: str) -> str:
    outcome = "Passed" if verdict.passed else "Rejected"
    return "\n\n".join(
        (
            f"**{outcome}.** {escaped(verdict.reason)}",
            f"[Card]({pages.inside_mlflow(page)})",
            described(origin),
        )
    )


def _image(candidate: Candidate) -> str:
    return pages.artifact_image(candidate.run_id, f"{recalibration_origin.RECALIBRATION}/{FIGURE}")


def _tags(
    candidate: Candidate,
    spec: DetectorSpec,
    bundle: Bundle,
    origin: RecalibrationOrigin,
    verdict: GateVerdict,
) -> dict[str, str]:
    lineage = bundle.description.lineage
    network = lineage.weights_of if lineage else origin.window.drawn_from
    return {
        "gate": "passed" if verdict.passed else "rejected",
        "threshold": f"{bundle.threshold:.6g}",
        "drawn_on": f"{origin.window.first_day} to {origin.window.last_day}",
        "drawn_from": str(origin.window.drawn_from),
        "telemetry_version": str(origin.window.telemetry_version),
        "detector": spec.name,
        tags.KIND: recalibration_origin.KIND,
        tags.WEIGHTS_OF: str(network),
        "candidate": candidate.name,
        "bundle_sha256": bundle.digest,
    }
