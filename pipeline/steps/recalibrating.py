"""Tasks `audit`, `window` and `recalibrate`: from a rolling window of scored rows to a threshold.

The weights stay. The result is a bundle like any other, with the same network and golden rows,
another threshold, and a sample of the rows that it was estimated from as its reference.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import structlog

from pipeline import log_context, recalibration
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.detector.bundle.bundle import Bundle
from pipeline.errors import DataError
from pipeline.lineage import job, note_model, note_read, note_written, stage
from pipeline.recalibration import (
    KeptScores,
    Memory,
    Recalibrated,
    accepted_anchor,
    ancestry,
    unforced_anchor,
)
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import versions
from pipeline.registry.connection import connect
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import degrading, labelling, ledger_state, live
from pipeline.steps.candidate import Candidate, detector_named
from pipeline.steps.labelling import AuditCounts
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.steps.origin import (
    Acceptance,
    RecalibrationInputs,
    RecalibrationWindow,
    origin_of,
    pin,
    start_candidate,
)
from pipeline.steps.recalibrated_bundle import renews_acceptance, write_recalibrated
from pipeline.steps.recalibration_run import log_recalibration
from pipeline.steps.scored_window import (
    ROWS,
    ScoredWindow,
    read_window,
    staged_rows,
    window_rows,
)
from pipeline.steps.versions import same_weights, version_of
from pipeline.store.telemetry import telemetry_days
from pipeline.store.upkeep import table_uri
from pipeline.utc_day import midnight

log = structlog.get_logger()


@dataclass(frozen=True)
class NotDue:
    """There is nothing to recalibrate yet; `reason` says why."""

    reason: str


@stage("recalibrate")
def audit(here: Deployment, detector: str, as_of: str, *, run: str) -> AuditCounts:
    """Sample flagged episodes of the window, and ask for their labels."""
    spec = detector_named(here, detector)
    days = _scored_days(here, spec, as_day(as_of), after=None)
    if not days:
        return {"episodes": 0, "sampled": 0, "new": 0, "share": spec.recalibration.audit_share}
    return labelling.propose_audits(
        here, detector, days[0], days[-1], run=run, now=datetime.now(UTC)
    )


@stage("recalibrate")
def window(
    here: Deployment, detector: str, as_of: str, *, acceptance: Acceptance | None = None
) -> Payload[Candidate] | NotDue:
    """Stage the rows of the rolling window before `as_of`, with the labels known by then.

    Nothing of that day or later is read, and no label made on it. Days that the network was trained
    on are left out: their scores are too low.

    Returns:
        the candidate; `NotDue` while the champion is too new to recalibrate.

    Raises:
        DataError: nothing is live, it needs rows of another meaning than the detector file says, or
            too few days have been validated since its training.
    """
    spec, day = detector_named(here, detector), as_day(as_of)
    champion = live.champion(here, detector)
    refuse_unfit(champion, spec)
    parent = _version_to_recalibrate(here, champion, day)
    until = ancestry.trained_until(parent.bundle)
    days = _scored_days(here, spec, day, after=until)
    if skipped := _too_few(days, spec, day, until, parent.version.number):
        log.info("not_recalibrated", reason=skipped)
        return NotDue(skipped)
    read = read_window(
        here,
        spec,
        parent,
        days,
        as_of=midnight(day),
        same_weights=same_weights(here, detector, parent.version),
    )
    made_on = _window(day, days, read, champion, parent)
    weights = ancestry.weights_of(parent.bundle, parent.version.number)
    since = ancestry.anchor_of(parent.bundle).day
    growth = degrading.growth_accepted(here, detector, since, midnight(day))
    origin = pin(spec, RecalibrationInputs(made_on, acceptance, growth))
    candidate = start_candidate(here, detector, origin, weights_of=weights)
    return to_json(staged.stage_table(candidate, ROWS, read.frame))


@job("recalibrate")
def recalibrate(here: Deployment, payload: Payload[Candidate], *, run: str) -> Payload[Candidate]:
    """Estimate the new threshold, write the bundle and open the MLflow run of this recalibration.

    Raises:
        CalibrationError: too few rows, or a score that is not a finite number.
    """
    candidate = from_json(Candidate, payload)
    spec, inputs = origin_of(candidate, RecalibrationInputs)
    drawn_from = inputs.window.drawn_from
    parent = version_of(here, candidate.detector, drawn_from)
    log_context.bind_version(drawn_from)
    _note_inputs(here, candidate, inputs.window)
    result = recalibrated(here, candidate)
    renewed = renews_acceptance(inputs, result)
    anchor = accepted_anchor(result) if renewed else unforced_anchor(result)
    lineage = ancestry.lineage_of(parent.bundle, drawn_from, anchor, result.counts)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "bundle"
        write_recalibrated(here, candidate, parent.bundle, result, lineage, bundle)
        candidate = staged.stage_folder(candidate, staged.BUNDLE, bundle)
    note_written(candidate.uri)
    opened = log_recalibration(here, candidate, spec, inputs, parent, result, run=run)
    answered = inputs.growth_accepted is not None or inputs.acceptance is not None
    degrading.put_on_record(here, spec, result, parent, growth_accepted=answered)
    log.info(
        "threshold_recalibrated", value=result.threshold.value, step=result.step, **result.counts
    )
    return to_json(opened)


def recalibrated(here: Deployment, candidate: Candidate) -> Recalibrated:
    """The recalibration on the candidate's rows: deterministic."""
    spec, inputs = origin_of(candidate, RecalibrationInputs)
    bundle = version_of(here, candidate.detector, inputs.window.drawn_from).bundle
    return recalibration.recalibrate(
        window_rows(staged_rows(candidate), spec),
        memory_of(bundle),
        bundle.description.threshold,
        ancestry.anchor_of(bundle),
        spec.recalibration,
        spec.threshold,
        growth_accepted=inputs.growth_accepted is not None,
    )


def memory_of(bundle: Bundle) -> Memory:
    """The rows that `bundle` keeps of its training and of the last accepted state."""
    trained, accepted = bundle.trained_reference(), bundle.accepted_reference()
    return Memory(
        KeptScores(trained.score.astype(np.float64), trained.timeline),
        KeptScores(accepted.score.astype(np.float64), accepted.timeline),
    )


def _note_inputs(here: Deployment, candidate: Candidate, window: RecalibrationWindow) -> None:
    """Note the sources of the staged rows and of the weights for the lineage."""
    telemetry = table_uri(here, candidate.detector, "telemetry")
    note_read(telemetry, version=window.telemetry_version)
    note_read(table_uri(here, candidate.detector, "scores"))
    note_model(candidate.detector, window.drawn_from)


def _version_to_recalibrate(here: Deployment, champion: LoadedVersion, day: date) -> LoadedVersion:
    """The champion, or its parent if it is itself the recalibration for `day`.

    Otherwise the second run of a month would start from the threshold of the first.
    """
    lineage = champion.bundle.description.lineage
    if lineage is None or champion.bundle.description.provenance.data["as_of"] != day.isoformat():
        return champion
    detector = champion.bundle.description.name
    parent = versions.by_number(connect(here), detector, lineage.drawn_from)
    return (
        champion
        if parent is None
        else live.opened(here, parent, ledger_state.verified(here, detector))
    )


def _scored_days(
    here: Deployment, spec: DetectorSpec, as_of: date, *, after: date | None
) -> list[date]:
    """The last validated days before `as_of`, those up to `after` left out."""
    days = telemetry_days(here, spec.name)
    usable = [day for day in days if day < as_of and (after is None or day > after)]
    return usable[-spec.recalibration.window_days :]


def _too_few(days: list[date], spec: DetectorSpec, as_of: date, until: date, version: int) -> str:
    """Why there is nothing to recalibrate on yet; empty when there is.

    Raises:
        DataError: enough days have passed, but too few of them were validated.
    """
    least = spec.recalibration.minimum_days
    if len(days) >= least:
        return ""
    if as_of - until <= timedelta(days=least):
        return (
            f"Version {version} was trained on days up to {until}, and {len(days)} days before "
            f"{as_of} are new to it; {least} are needed (recalibration.minimum_days). Its "
            "threshold stays."
        )
    msg = (
        f"{len(days)} validated days of {spec.name} after {until} and before {as_of}; "
        f"recalibration.minimum_days is {least}: ingest more days, or lower it."
    )
    raise DataError(msg)


def _window(
    as_of: date,
    days: list[date],
    read: ScoredWindow,
    champion: LoadedVersion,
    parent: LoadedVersion,
) -> RecalibrationWindow:
    newest = max((label.created_at.isoformat() for label in read.labels), default="")
    return RecalibrationWindow(
        kind=RecalibrationInputs.kind,
        as_of=as_of,
        first_day=days[0],
        last_day=days[-1],
        days=len(days),
        rows=len(read.frame),
        rows_digest=read.digest,
        rescored=len(read.rescored),
        telemetry_version=read.telemetry_version,
        labels=len(read.labels),
        labels_until=newest,
        champion=champion.version.number,
        drawn_from=parent.version.number,
    )
