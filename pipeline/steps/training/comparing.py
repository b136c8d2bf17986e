"""The live version on a candidate's test rows: what the gate's relative checks go by."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import structlog

from pipeline.config import DetectorSpec
from pipeline.detector.bundle import Bundle
from pipeline.errors import BundleError
from pipeline.evaluation.injection import minimum_detectable
from pipeline.evaluation.metrics import incidents_caught
from pipeline.evaluation.replay import Replay, Replayed, replay
from pipeline.evaluation.tryout import judge, try_out
from pipeline.gate import ChampionFacts
from pipeline.registry.versions import Version
from pipeline.steps.live import opened

NOT_COMPARED = (
    "champion {} cannot be read by this release or reads other features: **no check compared with "
    "it**, and the gate decided by the absolute checks alone"
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Comparison:
    """The live version on the candidate's test rows."""

    facts: ChampionFacts
    replayed: Replay
    threshold: float


def readable(version: Version) -> Bundle | None:
    """The champion's bundle; None if this release cannot read it.

    A champion that nothing can load any more must not forbid its successor.
    """
    try:
        return opened(version).bundle
    except BundleError as error:
        log.warning("champion_not_readable", reason=str(error))
        return None


def compare(
    number: int,
    live: Bundle,
    bundle: Bundle,
    frame: pd.DataFrame,
    museum: pd.DataFrame,
    spec: DetectorSpec,
) -> Comparison | None:
    """Champion and candidate on the same rows; None where the champion cannot read them."""
    if set(live.schema.features) - set(frame.columns):
        return None
    old, new = judge(live, frame, spec.columns), judge(bundle, frame, spec.columns)
    tried = try_out(live, frame, spec.columns, old, museum)
    facts = ChampionFacts(
        version=number,
        median_error=tried.diagnosis.median_error,
        alerts_per_day=tried.evaluation.alerts_per_day,
        incidents_caught=incidents_caught(tried.incidents),
        fault_size=minimum_detectable(tried.faults, share=spec.gate.minimum_fault_recall),
    )
    replayed = replay(
        new.line, Replayed(new.score, bundle.threshold), Replayed(old.score, live.threshold)
    )
    return Comparison(facts, replayed, live.threshold)
