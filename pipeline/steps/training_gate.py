"""The gate of a trained candidate: what was measured of it, and its card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline import lineage
from pipeline.config import DetectorSpec, Gate
from pipeline.data.held_back import HeldBack
from pipeline.data.split import rows_for
from pipeline.detector.bundle.bundle import Bundle
from pipeline.drift import DriftVerdict
from pipeline.evaluation.detectability import Detectable, detectable
from pipeline.evaluation.injection import FaultOutcome, minimum_detectable, recall
from pipeline.evaluation.metrics import incidents_caught
from pipeline.evaluation.tryout import Tryout
from pipeline.gate import GateVerdict, TrainedFacts, decide
from pipeline.gate.facts import OpenCaseFlags, OpenShift
from pipeline.registry import pages, tags
from pipeline.registry.connection import connect
from pipeline.report.card import Link
from pipeline.report.training_card import TrainedOn, TrainingCard, training_card
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import ledger_state, live
from pipeline.steps.candidate import Candidate
from pipeline.steps.comparing import (
    NOT_COMPARED,
    ChampionComparison,
    compare,
    open_case_flags,
    open_shifts,
)
from pipeline.steps.evaluating import drift_of, tryout_of
from pipeline.steps.fitting import (
    block_of,
    confirmed_incidents_of,
    described,
    open_case_rows_of,
    open_shift_spans_of,
)
from pipeline.steps.gate_case import GateCase
from pipeline.steps.origin import TrainingInputs, origin_of
from pipeline.steps.trusted_rows import provisional_of


@dataclass(frozen=True)
class _Against:
    """The live version, and how the candidate compares with it.

    Attributes:
        champion: its number; None: nothing is live.
        compared: both on the same rows; None: they were not compared.
        open_cases: both on the rows of open cases; None: there are none.
        open_shifts: the ranges of both on the rows of open shifts.
        not_compared: why they could not be; empty where they were or need not be.
    """

    champion: int | None
    compared: ChampionComparison | None = None
    open_cases: OpenCaseFlags | None = None
    open_shifts: tuple[OpenShift, ...] = ()
    not_compared: str = ""


def judge(here: Deployment, candidate: Candidate, bundle: Bundle) -> GateCase:
    """The candidate after all checks of a trained one, compared with the live version."""
    spec, inputs = origin_of(candidate, TrainingInputs)
    manifest, start = inputs.window, bundle.description.provenance.start
    lineage.note_read(manifest.table, version=manifest.table_version)
    against = _against_champion(here, candidate, bundle, spec)
    compared = against.compared
    tried = tryout_of(candidate)
    facts = trained_facts(
        bundle,
        tried,
        drift_of(candidate),
        spec.gate,
        compared,
        open_cases=against.open_cases,
        open_shifts=against.open_shifts,
        unscored_days=manifest.unscored.days if manifest.unscored else 0,
    )
    verdict = decide(facts, compared.facts if compared else None, spec.gate)
    rate = tried.evaluation.rate
    little = provisional_of(bundle, spec)
    return GateCase(
        verdict=verdict,
        reason=f"{verdict.reason} It is {little.sentence}."
        if little and verdict.passed
        else verdict.reason,
        champion=against.champion,
        card=training_card(_card(candidate, bundle, verdict, against)),
        card_name="Promotion card",
        links=tuple(_further(candidate)),
        about=described(candidate.detector, inputs),
        window=(manifest.first_day, manifest.last_day),
        telemetry_version=manifest.table_version,
        realised_rate=rate.rate if rate else None,
        tags={
            "trained_on": f"{manifest.first_day} to {manifest.last_day}",
            **({"fine_tuned_from": str(start.version)} if start else {}),
            **({tags.PROVISIONAL: little.sentence} if little else {}),
        },
    )


def _against_champion(
    here: Deployment, candidate: Candidate, bundle: Bundle, spec: DetectorSpec
) -> _Against:
    """Candidate and champion on the same rows, where the champion can read them.

    A candidate that is live already, as its gate runs again, is not compared with itself.
    """
    held = ledger_state.read(here, spec.name)
    champion = live.registered(here, connect(here), held)
    if champion is None:
        return _Against(None)
    if champion.run_id == candidate.run_id:
        return _Against(champion.number)
    theirs = live.readable(here, champion, held)
    compared = None
    if theirs is not None:
        frame = rows_for(block_of(candidate, "test"), "test")
        confirmed = confirmed_incidents_of(candidate)
        compared = compare(champion.number, theirs.bundle, bundle, frame, confirmed, spec)
    if theirs is None or compared is None:
        return _Against(champion.number, not_compared=NOT_COMPARED.format(champion.number))
    rows, spans = open_case_rows_of(candidate), open_shift_spans_of(candidate)
    return _Against(
        champion.number,
        compared,
        open_case_flags(theirs.bundle, bundle, rows),
        open_shifts(theirs.bundle, bundle, rows, spans, spec),
    )


def trained_facts(
    bundle: Bundle,
    tried: Tryout,
    drift: DriftVerdict,
    limits: Gate,
    compared: ChampionComparison | None,
    *,
    open_cases: OpenCaseFlags | None = None,
    open_shifts: tuple[OpenShift, ...] = (),
    unscored_days: int = 0,
) -> TrainedFacts:
    """The facts that the gate has of a trained candidate, from what was measured of it."""
    threshold = bundle.description.threshold
    return TrainedFacts(
        rows=threshold.n,
        rows_effective=threshold.n_effective,
        rate=tried.evaluation.rate,
        noise_passthrough=tried.diagnosis.noise_passthrough,
        explained_variance=tried.diagnosis.explained_variance,
        median_error=tried.diagnosis.median_error,
        days=tried.evaluation.days,
        alerts_per_day=tried.evaluation.alerts_per_day,
        incidents=len(tried.incidents),
        incidents_caught=incidents_caught(tried.incidents),
        detectable=_detectable(tried.faults, limits),
        fault_size=minimum_detectable(tried.faults, share=limits.minimum_fault_recall),
        fault_loss=compared.losses if compared else {},
        drift=drift.kind,
        drift_reason=drift.reason,
        bundle_mb=tried.bundle_mb,
        latency_ms=tried.latency_ms,
        rank_agreement=compared.replayed.rank_agreement if compared else None,
        open_cases=open_cases,
        open_shifts=open_shifts,
        unscored_days=unscored_days,
    )


def _card(
    candidate: Candidate, bundle: Bundle, verdict: GateVerdict, against: _Against
) -> TrainingCard:
    spec, inputs = origin_of(candidate, TrainingInputs)
    tried, compared, manifest = tryout_of(candidate), against.compared, inputs.window
    image = pages.artifact_image(candidate.run_id, f"{staged.EVALUATION}/score_distribution.png")
    return TrainingCard(
        detector=candidate.detector,
        gate=verdict,
        threshold=bundle.description.threshold,
        evaluation=tried.evaluation,
        partial=tried.partial,
        drift=drift_of(candidate),
        trained_on=TrainedOn(
            start=manifest.first_day.isoformat(),
            end=manifest.last_day.isoformat(),
            table="telemetry",
            version=manifest.table_version,
            train=len(block_of(candidate, "train").frame),
            calibration=len(block_of(candidate, "calibration").frame),
            test=len(block_of(candidate, "test").frame),
            partial=manifest.partial,
            replaced=manifest.replaced,
            unscored=manifest.unscored,
        ),
        held=_held(bundle),
        remarks=bundle.description.network.remarks,
        start=bundle.description.provenance.start,
        champion_threshold=compared.threshold if compared else None,
        not_compared=against.not_compared,
        replay=compared.replayed if compared else None,
        faults=recall(tried.faults),
        detectable=_detectable(tried.faults, spec.gate),
        fault_limits={kind: spec.gate.fault_limits.get(kind) for kind in spec.gate.required_faults},
        champion_faults=compared.grades if compared else {},
        images=(Link("Score distribution", image),),
        links=(Link("Run", pages.inside_mlflow(candidate.page)), *_further(candidate)),
    )


def _detectable(faults: Sequence[FaultOutcome], limits: Gate) -> dict[str, Detectable]:
    share, sizes = limits.minimum_fault_recall, dict[str, float](limits.fault_limits.items())
    return detectable(faults, share=share, limits=sizes)


def _held(bundle: Bundle) -> dict[str, HeldBack]:
    """Rows of the train and of the calibration block that were held back, where any was."""
    blocks = {
        "train": bundle.description.network.held,
        "calibration": bundle.description.calibration.held,
    }
    return {block: held for block, held in blocks.items() if held is not None}


def _further(candidate: Candidate) -> Iterator[Link]:
    """Links to the artifacts of the run that a reviewer needs next."""
    for name, path in (
        ("Scores over time", f"{staged.EVALUATION}/score_timeline.png"),
        ("Injected faults", f"{staged.EVALUATION}/fault_recall.png"),
        ("Drift report", f"{staged.DRIFT}/drift_report.html"),
    ):
        page = pages.artifact_page(candidate.page, path)
        yield Link(name, pages.inside_mlflow(page))
