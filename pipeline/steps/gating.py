"""Task `gate`: run every check, register the candidate with its card, passed or rejected."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from pipeline import lineage, log_context, staging
from pipeline.config import DetectorSpec
from pipeline.data.split import rows_for
from pipeline.detector.bundle.bundle import Bundle, load_bundle
from pipeline.evaluation.injection import at_largest, minimum_detectable, recall
from pipeline.evaluation.metrics import incidents_caught
from pipeline.gate import CandidateFacts, GateVerdict, decide
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import pages, promotion, runs, tags, versions
from pipeline.registry.connection import connect
from pipeline.report.card import Card, Link, TrainedOn, promotion_card
from pipeline.report.markdown import escaped
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import ledger_state, live
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.comparing import NOT_COMPARED, ChampionComparison, compare, readable
from pipeline.steps.decisions import evidence_text
from pipeline.steps.evaluating import drift_of, tryout_of
from pipeline.steps.fitting import block_of, confirmed_incidents_of, described
from pipeline.steps.records import record_threshold
from pipeline.store.training_window import WindowManifest

log = structlog.get_logger()


@lineage.job("gate")
def gate(
    here: Deployment,
    payload: Payload[Candidate],
    *,
    run: str,  # noqa: ARG001 - for lineage
) -> Payload[JudgedCandidate]:
    """Decide about a candidate and record why; the live version does not change."""
    candidate = from_json(Candidate, payload)
    spec, manifest = staged.origin_of(candidate)
    lineage.note_read(candidate.uri)
    lineage.note_read(manifest.table, version=manifest.table_version)
    frame = rows_for(block_of(candidate, "test"), "test")
    client = connect(here)
    held = ledger_state.read(here, spec.name)
    champion = live.registered(here, client, held)
    with staged.pulled(candidate, staged.BUNDLE) as folder:
        bundle = load_bundle(folder)
        compared, blind = None, ""
        if champion is not None and champion.run_id != candidate.run_id:
            theirs = readable(here, champion, held)
            if theirs is not None:
                confirmed = confirmed_incidents_of(candidate)
                compared = compare(champion.number, theirs, bundle, frame, confirmed, spec)
            blind = "" if compared else NOT_COMPARED.format(champion.number)
        verdict = decide(
            _facts(candidate, bundle, spec, compared),
            compared.facts if compared else None,
            spec.gate,
        )
        version = versions.register(
            client,
            model=spec.name,
            run_id=candidate.run_id,
            bundle=folder,
            features=bundle.schema.features,
        )
        log_context.bind_version(version.number)
        lineage.note_model(spec.name, version.number, written=True)
        card = _card(candidate, spec, manifest, bundle, verdict, compared, blind)
        log_verdict(here, candidate, verdict, card)
    page = pages.version_page(here.mlflow_url, spec.name, version.number)
    runs.describe(client, candidate.run_id, _note(candidate, manifest, verdict, page))
    window = (manifest.first_day, manifest.last_day)
    judged = JudgedCandidate(
        candidate=replace(candidate, page=page),
        version=version.number,
        passed=verdict.passed,
        reason=verdict.reason,
        champion=champion.number if champion else None,
        card=card,
        bundle_sha256=bundle.digest,
        evidence=evidence_text(bundle, window, manifest.table_version, verdict.reason),
    )
    versions.describe(
        client,
        spec.name,
        version.number,
        card=card,
        tags=_tags(candidate, bundle, judged, manifest),
    )
    rate = tryout_of(candidate).evaluation.rate
    record_threshold(
        here,
        judged,
        bundle,
        window=window,
        realised_rate=rate.rate if rate else None,
    )
    tag_outcome(here, judged)
    event = "candidate_passed" if judged.passed else "candidate_rejected"
    log.info(event, version=judged.version, reason=judged.reason)
    return to_json(judged)


def verdict_of(candidate: Candidate) -> GateVerdict:
    """The verdict of `gate`."""
    content = staging.read_json(f"{candidate.folder(staged.GATE)}/verdict.json")
    return from_json(GateVerdict, content)


def tag_outcome(here: Deployment, judged: JudgedCandidate) -> None:
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


def _facts(
    candidate: Candidate, bundle: Bundle, spec: DetectorSpec, compared: ChampionComparison | None
) -> CandidateFacts:
    tried, drift = tryout_of(candidate), drift_of(candidate)
    threshold = bundle.description.threshold
    return CandidateFacts(
        calibration_rows=threshold.n,
        calibration_rows_effective=threshold.n_effective,
        rate=tried.evaluation.rate,
        noise_passthrough=tried.diagnosis.noise_passthrough,
        explained_variance=tried.diagnosis.explained_variance,
        median_error=tried.diagnosis.median_error,
        replayed_days=tried.evaluation.days,
        alerts_per_day=tried.evaluation.alerts_per_day,
        incidents=len(tried.incidents),
        incidents_caught=incidents_caught(tried.incidents),
        fault_recall=at_largest(tried.faults),
        fault_size=minimum_detectable(tried.faults, share=spec.gate.minimum_fault_recall),
        drift=drift.kind,
        drift_reason=drift.reason,
        bundle_mb=tried.bundle_mb,
        latency_ms=tried.latency_ms,
        rank_agreement=compared.replayed.rank_agreement if compared else None,
    )


def _card(
    candidate: Candidate,
    spec: DetectorSpec,
    manifest: WindowManifest,
    bundle: Bundle,
    verdict: GateVerdict,
    compared: ChampionComparison | None,
    blind: str,
) -> str:
    blocks = {
        role: len(block_of(candidate, role).frame) for role in ("train", "calibration", "test")
    }
    image = pages.artifact_image(candidate.run_id, f"{staged.EVALUATION}/score_distribution.png")
    return promotion_card(
        Card(
            detector=spec.name,
            gate=verdict,
            threshold=bundle.description.threshold,
            evaluation=tryout_of(candidate).evaluation,
            drift=drift_of(candidate),
            trained_on=TrainedOn(
                start=manifest.first_day.isoformat(),
                end=manifest.last_day.isoformat(),
                table="telemetry",
                version=manifest.table_version,
                train=blocks["train"],
                calibration=blocks["calibration"],
                test=blocks["test"],
            ),
            remarks=bundle.description.network.remarks,
            changes=(*_tuned_from(bundle), *_changes(bundle, compared, blind)),
            replay=compared.replayed if compared else None,
            faults=recall(tryout_of(candidate).faults),
            champion_faults=compared.grades if compared else {},
            images=(Link("Score distribution", image),),
            links=(
                Link("Run", pages.inside_mlflow(candidate.page)),
                *_further(candidate),
            ),
        )
    )


def _changes(bundle: Bundle, compared: ChampionComparison | None, blind: str) -> tuple[str, ...]:
    if compared is None:
        return (blind,) if blind else ()
    change = f"threshold {bundle.threshold:.4g} instead of {compared.threshold:.4g}"
    return (f"{change}, on scores of another network",)


def _tuned_from(bundle: Bundle) -> Iterator[str]:
    """The origin of the weights of a fine-tuned candidate, and the rows of its fine-tuning."""
    start = bundle.description.provenance.start
    if start is None:
        return
    text = (
        f"**fine-tuned from version {start.version}** on {start.recent_rows:,} normal rows of the "
        f"newest {start.recent_days} train days, beside {start.replay_days} older days since "
        f"{start.since}"
    )
    yield text + (
        f"; {start.suspects:,} rows that version {start.version} flags and nobody has judged were "
        "left out"
        if start.suspects
        else ""
    )


def _further(candidate: Candidate) -> Iterator[Link]:
    """Links to the artifacts of the run that a reviewer needs next."""
    for name, path in (
        ("Scores over time", f"{staged.EVALUATION}/score_timeline.png"),
        ("Injected faults", f"{staged.EVALUATION}/fault_recall.png"),
        ("Drift report", f"{staged.DRIFT}/drift_report.html"),
    ):
        page = pages.artifact_page(candidate.page, path)
        yield Link(name, pages.inside_mlflow(page))


def _note(candidate: Candidate, manifest: WindowManifest, verdict: GateVerdict, page: str) -> str:
    """The description of the run: the decision first, then links to its reasons."""
    outcome = "Passed" if verdict.passed else "Rejected"
    links = (Link("Promotion card", pages.inside_mlflow(page)), *_further(candidate))
    return "\n\n".join(
        (
            f"**{outcome}.** {escaped(verdict.reason)}",
            " | ".join(f"[{link.name}]({link.url})" for link in links),
            described(candidate, manifest),
        )
    )


def log_verdict(here: Deployment, candidate: Candidate, verdict: GateVerdict, card: str) -> None:
    """Log every check and the card to the candidate's run."""
    client = connect(here)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "verdict.json").write_text(json.dumps(to_json(verdict), indent=1))
        staging.push(Path(scratch), candidate.folder(staged.GATE))
        runs.log_folder(client, candidate.run_id, Path(scratch), staged.GATE)
    runs.log_page(client, candidate.run_id, "card.md", card)
    measured = {f"gate/{r.name}": r.measured for r in verdict.results if r.measured is not None}
    runs.log_metrics(client, candidate.run_id, measured)


def _tags(
    candidate: Candidate, bundle: Bundle, judged: JudgedCandidate, manifest: WindowManifest
) -> dict[str, str]:
    start = bundle.description.provenance.start
    return {
        "gate": "passed" if judged.passed else "rejected",
        "threshold": f"{bundle.threshold:.6g}",
        "trained_on": f"{manifest.first_day} to {manifest.last_day}",
        "telemetry_version": str(manifest.table_version),
        tags.KIND: "trained",
        tags.WEIGHTS_OF: str(judged.version),
        "candidate": candidate.name,
        "bundle_sha256": bundle.digest,
        **({"fine_tuned_from": str(start.version)} if start else {}),
    }
