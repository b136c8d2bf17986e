"""The facts for the gate of a recalibration: both thresholds on the same rows and incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pipeline.config import DetectorSpec
from pipeline.data.grid import days_between
from pipeline.data.label import INCIDENT
from pipeline.data.timeline import Episode, episodes, subset
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.injection import FaultOutcome, Trial, inject, minimum_detectable
from pipeline.evaluation.metrics import alerts
from pipeline.evaluation.paired import fault_losses
from pipeline.evaluation.replay import Replay, Replayed, replay
from pipeline.gate import ChampionFacts, Move, RecalibratedFacts
from pipeline.incidents.judging import fitted_columns
from pipeline.recalibration import Recalibrated, WindowRows
from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate
from pipeline.steps.live import LoadedVersion
from pipeline.steps.origin import RecalibrationInputs, origin_of
from pipeline.steps.scored_window import (
    read_window,
    staged_rows,
    timeline_of_rows,
    window_rows,
)
from pipeline.steps.versions import same_weights
from pipeline.store.confirmed_incidents import REACH
from pipeline.store.labels import labels_as_of
from pipeline.store.telemetry import telemetry_days
from pipeline.utc_day import midnight


@dataclass(frozen=True)
class ThresholdComparison:
    """The new threshold and the live one on the same rows.

    Attributes:
        facts: of the candidate, for the gate.
        champion: of the live version, for the gate.
        replayed: both over the window.
    """

    facts: RecalibratedFacts
    champion: ChampionFacts
    replayed: Replay


def compare_thresholds(
    here: Deployment, candidate: Candidate, result: Recalibrated, champion: LoadedVersion
) -> ThresholdComparison:
    """The thresholds of `candidate` and of `champion`, measured on the same rows."""
    spec, inputs = origin_of(candidate, RecalibrationInputs)
    accepted = inputs.acceptance
    return thresholds_compared(
        window_rows(staged_rows(candidate), spec),
        result,
        champion.bundle,
        spec,
        live=champion.bundle.description.threshold,
        incidents=_confirmed_incidents(here, spec, inputs.window.as_of, champion),
        accepted=accepted.text if accepted else "",
        version=champion.version.number,
    )


def thresholds_compared(
    rows: WindowRows,
    result: Recalibrated,
    bundle: Bundle,
    spec: DetectorSpec,
    *,
    live: ThresholdEstimate,
    incidents: Sequence[tuple[str, float]] = (),
    accepted: str = "",
    version: int = 1,
) -> ThresholdComparison:
    """The threshold of `result` and the `live` one on the rows that `bundle` has scored.

    Args:
        rows: the window of the recalibration.
        result: what it found.
        bundle: its network; faults are injected into the rows that it keeps of its training.
        spec: for its limits.
        live: the threshold that is live.
        incidents: name and highest score of each confirmed incident.
        accepted: who accepted crossed bounds, and why; empty: nobody.
        version: number of the live version.
    """
    judged = ~rows.excluded
    timeline, score = subset(rows.timeline, judged), rows.score[judged]
    new, days = result.threshold.value, max(1, timeline.days)
    stops = {stop.name: stop.reason for stop in result.stops}
    limits, share = spec.recalibration, spec.gate.minimum_fault_recall
    ours, theirs = _faults(bundle, new), _faults(bundle, live.value)
    facts = RecalibratedFacts(
        rows=result.threshold.n,
        rows_effective=result.threshold.n_effective,
        days=timeline.days,
        alerts_per_day=alerts(score > new, timeline) / days,
        incidents=len(incidents),
        incidents_caught=tuple(name for name, peak in incidents if peak > new),
        fault_size=minimum_detectable(ours, share=share),
        fault_loss=fault_losses(ours, theirs),
        step=Move(result.step, limits.maximum_step, stops.get("step", "")),
        total=Move(result.total, limits.maximum_total, stops.get("total", "")),
        creep=Move(result.growth, limits.maximum_growth, stops.get("creep", "")),
        degradation=_degraded(result, stops.get("degradation", "")),
        accepted=accepted,
    )
    before = ChampionFacts(
        version=version,
        median_error=None,
        alerts_per_day=alerts(score > live.value, timeline) / days,
        incidents_caught=tuple(name for name, peak in incidents if peak > live.value),
        fault_size=minimum_detectable(theirs, share=share),
        threshold_rows=live.n_effective,
    )
    measured = score.astype(np.float32)
    replayed = replay(timeline, Replayed(measured, new), Replayed(measured, live.value))
    return ThresholdComparison(facts, before, replayed)


def _degraded(result: Recalibrated, crossed: str) -> Move:
    """How much larger the share above the frozen level is than the accepted state allows."""
    grown = result.degradation
    return Move(0.0 if grown is None else grown.share / grown.level.share - 1, 0.0, crossed)


def _confirmed_incidents(
    here: Deployment, spec: DetectorSpec, as_of: date, champion: LoadedVersion
) -> tuple[tuple[str, float], ...]:
    """Name and highest score of each incident of the last year that a person has confirmed."""
    first = as_of - REACH
    labels = labels_as_of(here, spec.name, midnight(as_of), first=first)
    confirmed = [label for label in labels if label.verdict == "incident"]
    touched = {
        day for label in confirmed for day in days_between(label.start.date(), label.end.date())
    }
    days = _validated(here, spec, first, as_of, touched)
    if not days:
        return ()
    read = read_window(
        here,
        spec,
        champion,
        days,
        as_of=midnight(as_of),
        same_weights=same_weights(here, spec.name, champion.version),
    )
    timeline, score = timeline_of_rows(read.frame, spec), read.frame["score"].to_numpy(np.float64)
    confirmed_at = read.frame["verdict"].to_numpy() == INCIDENT
    return tuple(
        (_name(found), float(score[found.rows].max())) for found in episodes(confirmed_at, timeline)
    )


def _validated(
    here: Deployment, spec: DetectorSpec, first: date, as_of: date, wanted: set[date]
) -> Sequence[date]:
    held = telemetry_days(here, spec.name)
    return [day for day in held if first <= day < as_of and day in wanted]


def _faults(bundle: Bundle, threshold: float) -> tuple[FaultOutcome, ...]:
    """Injected faults, caught or not with `threshold`; the network of `bundle` scores."""
    reference = bundle.trained_reference()
    if reference.timeline is None:
        return ()
    trial = Trial(
        scorer=bundle.score,
        threshold=threshold,
        rows=reference.features,
        timeline=reference.timeline,
        columns=fitted_columns(bundle),
        window=bundle.schema.window,
        seed=bundle.description.network.seed,
        postprocessing=bundle.postprocessing,
    )
    return inject(trial)


def _name(found: Episode) -> str:
    return f"{found.entity} {found.start.isoformat()}".strip()
