"""The live version on a candidate's test rows: the facts for the gate's relative checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import structlog

from pipeline.config import Columns, DetectorSpec
from pipeline.data.meaning import meaning_of, misfits, needed_for_scores
from pipeline.data.timeline import subset, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.errors import BundleError, UnprovenBundle
from pipeline.evaluation.injection import minimum_detectable, recall
from pipeline.evaluation.metrics import incidents_caught
from pipeline.evaluation.paired import FaultLoss, fault_losses
from pipeline.evaluation.replay import Replay, Replayed, replay
from pipeline.evaluation.tryout import common_choice, faults_in, judge, try_out
from pipeline.gate import ChampionFacts
from pipeline.gate.facts import OpenCaseFlags
from pipeline.incidents.judging import fitted_columns
from pipeline.registry.versions import Version
from pipeline.scoring import score_rows
from pipeline.settings import Deployment
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import opened

NOT_COMPARED = (
    "champion {} cannot be read by this release, or needs other columns, units or another cadence "
    "than the detector file says: **no check compared with it**, and the gate decided by the "
    "absolute checks alone"
)

log = structlog.get_logger()


@dataclass(frozen=True)
class ChampionComparison:
    """The live version on the candidate's test rows.

    Attributes:
        facts: for the gate.
        replayed: candidate and champion on the same rows.
        threshold: of the champion.
        grades: share of injected faults that the champion catches, by kind and size.
        losses: faults that the candidate catches less often, by kind.
    """

    facts: ChampionFacts
    replayed: Replay
    threshold: float
    grades: dict[str, dict[float, float]]
    losses: dict[str, FaultLoss]


def open_case_flags(live: Bundle, bundle: Bundle, frame: pd.DataFrame) -> OpenCaseFlags | None:
    """What both flag of the rows of open cases, muting nothing; None without such rows."""
    frame = _readable_rows(live, frame)
    if frame.empty:
        return None
    new, old = score_rows(bundle, frame), score_rows(live, frame)
    both = new.complete & old.complete
    now, before = new.score[both] > bundle.threshold, old.score[both] > live.threshold
    return OpenCaseFlags(
        rows=int(both.sum()),
        candidate=float(now.sum()),
        champion=float(before.sum()),
        lost=float((before & ~now).sum()),
        gained=float((now & ~before).sum()),
    )


def readable(here: Deployment, version: Version, held: LedgerState) -> Bundle | None:
    """The champion's bundle; None if this release cannot read it.

    A champion that cannot be loaded any more must not block its successor.

    Raises:
        UnprovenBundle: it is gone, or not the one that the ledger names: that is not a matter of
            releases, and ignoring it would let an attacker skip the comparison.
    """
    try:
        return opened(here, version, held).bundle
    except UnprovenBundle:
        raise
    except BundleError as error:
        log.warning("champion_not_readable", reason=str(error))
        return None


def compare(
    number: int,
    live: Bundle,
    bundle: Bundle,
    frame: pd.DataFrame,
    incidents: pd.DataFrame,
    spec: DetectorSpec,
) -> ChampionComparison | None:
    """Champion and candidate on the same rows; None where the champion cannot read them.

    For a champion that takes no missing values these are the rows without any.
    """
    if set(live.schema.features) - set(frame.columns) or _means_otherwise(live, spec):
        return None
    frame, incidents = _readable_rows(live, frame), _readable_rows(live, incidents)
    if frame.empty:
        return None
    choice, rows = common_choice(bundle, live), judge(live, frame, spec.columns)
    tried = try_out(live, frame, spec.columns, rows, incidents, choice=choice)
    was, now = live.description.network, bundle.description.network
    facts = ChampionFacts(
        version=number,
        median_error=tried.diagnosis.median_error,
        alerts_per_day=tried.evaluation.alerts_per_day,
        incidents_caught=incidents_caught(tried.incidents),
        fault_size=minimum_detectable(tried.faults, share=spec.gate.minimum_fault_recall),
        explained_variance=tried.diagnosis.explained_variance,
        same_kind=(was.family, was.loss) == (now.family, now.loss),
    )
    replayed = _replayed(live, bundle, frame, spec.columns)
    losses = fault_losses(faults_in(bundle, frame, spec.columns, choice), tried.faults)
    return ChampionComparison(facts, replayed, live.threshold, recall(tried.faults), losses)


def _means_otherwise(live: Bundle, spec: DetectorSpec) -> bool:
    if live.schema.source_columns is None:
        return False
    needs = needed_for_scores(fitted_columns(live))
    return bool(misfits(needs, meaning_of(spec.columns)))


def _readable_rows(live: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    if live.schema.takes_missing or frame.empty:
        return frame
    whole = frame[list(live.schema.features)].notna().all(axis=1)
    return frame if whole.all() else frame[whole].reset_index(drop=True)


def _replayed(live: Bundle, bundle: Bundle, frame: pd.DataFrame, columns: Columns) -> Replay:
    """Both on the rows that end a full window of each: their windows may differ in length."""
    new, old = score_rows(bundle, frame), score_rows(live, frame)
    both = np.flatnonzero(new.complete & old.complete)
    return replay(
        subset(timeline_from(frame, columns), both),
        Replayed(new.score[both].astype(np.float32), bundle.threshold),
        Replayed(old.score[both].astype(np.float32), live.threshold),
    )
